from collections.abc import Callable, Iterator
from typing import Any

import pytest

from export_pipeline.sandbox import SandboxOptions
from export_pipeline.sandbox.laserfiche import LaserficheOptions
from export_pipeline_tests.sandbox.laserfiche.api import Api
from export_pipeline_tests.sandbox.starting import starting

StartApi = Callable[..., Api]


def chosen(**options: Any) -> SandboxOptions:
    return SandboxOptions(laserfiche=LaserficheOptions(**({"pace": "fast"} | options)))


@pytest.fixture
def start_api() -> Iterator[StartApi]:
    with starting(Api, chosen) as start:
        yield start


@pytest.fixture
def api(start_api: StartApi) -> Api:
    return start_api()
