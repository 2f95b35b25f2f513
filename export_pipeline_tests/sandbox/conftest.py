from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from export_pipeline.sandbox import Clock, CopyleaksOptions, Sandbox, SandboxOptions
from export_pipeline_tests.sandbox.api import Api
from export_pipeline_tests.sandbox.receiving import Receiver

StartApi = Callable[..., Api]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def start_api(receiver: Receiver) -> Iterator[StartApi]:
    """Starts a sandbox with the Copyleaks options given."""
    with ExitStack() as stack:

        def start(clock: Clock | None = None, **options: Any) -> Api:
            copyleaks = CopyleaksOptions(**({"pace": "fast"} | options))
            sandbox = stack.enter_context(Sandbox(SandboxOptions(copyleaks), clock))
            return stack.enter_context(closing(Api(sandbox, receiver)))

        yield start


@pytest.fixture
def api(start_api: StartApi) -> Api:
    return start_api()
