from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from export_pipeline.sandbox import Sandbox, SandboxOptions, SteppedClock
from export_pipeline.sandbox.hookbridge import HookBridgeOptions
from export_pipeline_tests.sandbox.hookbridge.api import Api

StartHookBridge = Callable[..., Api]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def start(clock: SteppedClock) -> Iterator[StartHookBridge]:
    """Starts a sandbox with the HookBridge options given."""
    with ExitStack() as stack:

        def start(**options: Any) -> Api:
            chosen = SandboxOptions(hookbridge=HookBridgeOptions(**options))
            return stack.enter_context(closing(Api(stack.enter_context(Sandbox(chosen, clock)))))

        yield start


@pytest.fixture
def hookbridge(start: StartHookBridge) -> Api:
    return start()
