from collections.abc import Iterator

import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline_tests.sandbox.receiving import Receiver


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running
