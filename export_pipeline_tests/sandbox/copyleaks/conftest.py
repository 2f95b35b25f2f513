from collections.abc import Callable, Iterator
from typing import Any

import pytest

from export_pipeline.sandbox import CopyleaksOptions, Sandbox, SandboxOptions
from export_pipeline_tests.sandbox.copyleaks.api import Api
from export_pipeline_tests.sandbox.receiving import Receiver
from export_pipeline_tests.sandbox.starting import starting

StartApi = Callable[..., Api]


def chosen(**options: Any) -> SandboxOptions:
    return SandboxOptions(copyleaks=CopyleaksOptions(**({"pace": "fast"} | options)))


@pytest.fixture
def start_api(receiver: Receiver) -> Iterator[StartApi]:
    def connect(sandbox: Sandbox) -> Api:
        return Api(sandbox, receiver)

    with starting(connect, chosen) as start:
        yield start


@pytest.fixture
def api(start_api: StartApi) -> Api:
    return start_api()
