from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from export_pipeline.sandbox import Clock, Sandbox, SandboxOptions, SteppedClock
from export_pipeline.sandbox.cloudconvert import CloudConvertOptions
from export_pipeline_tests.sandbox.cloudconvert.api import Api

StartApi = Callable[..., Api]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def start_api() -> Iterator[StartApi]:
    """Starts a sandbox with the CloudConvert options given."""
    with ExitStack() as stack:

        def start(clock: Clock | None = None, **options: Any) -> Api:
            chosen = CloudConvertOptions(**({"pace": "fast"} | options))
            sandbox = stack.enter_context(Sandbox(SandboxOptions(cloudconvert=chosen), clock))
            return stack.enter_context(closing(Api(sandbox)))

        yield start


@pytest.fixture
def api(start_api: StartApi) -> Api:
    return start_api()
