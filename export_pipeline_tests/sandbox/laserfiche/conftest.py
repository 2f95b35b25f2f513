from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from export_pipeline.sandbox import Clock, Sandbox, SandboxOptions, SteppedClock
from export_pipeline.sandbox.laserfiche import LaserficheOptions
from export_pipeline_tests.sandbox.laserfiche.api import Api

StartApi = Callable[..., Api]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def start_api() -> Iterator[StartApi]:
    """Starts a sandbox with the Laserfiche options given."""
    with ExitStack() as stack:

        def start(clock: Clock | None = None, **options: Any) -> Api:
            laserfiche = LaserficheOptions(**({"pace": "fast"} | options))
            sandbox = stack.enter_context(Sandbox(SandboxOptions(laserfiche=laserfiche), clock))
            return stack.enter_context(closing(Api(sandbox)))

        yield start


@pytest.fixture
def api(start_api: StartApi) -> Api:
    return start_api()
