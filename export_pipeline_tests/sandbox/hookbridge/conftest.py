from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from export_pipeline.sandbox import SandboxOptions, SteppedClock
from export_pipeline.sandbox.hookbridge import HookBridgeOptions
from export_pipeline_tests.sandbox.hookbridge.api import Api
from export_pipeline_tests.sandbox.starting import starting

StartHookBridge = Callable[..., Api]


def chosen(**options: Any) -> SandboxOptions:
    return SandboxOptions(hookbridge=HookBridgeOptions(**options))


@pytest.fixture
def start(clock: SteppedClock) -> Iterator[StartHookBridge]:
    with starting(Api, chosen) as begin:
        yield partial(begin, clock)


@pytest.fixture
def hookbridge(start: StartHookBridge) -> Api:
    return start()
