from collections.abc import Iterator

import pytest

from export_pipeline_tests.servers.faults import (
    FaultProxy,
    Gate,
    running_fault_proxy,
    running_gate,
)
from export_pipeline_tests.storage.upstream import Upstream


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[FaultProxy]:
    with running_fault_proxy(upstream.url) as proxy:
        yield proxy


@pytest.fixture
def gate(upstream: Upstream) -> Iterator[Gate]:
    with running_gate(upstream.url) as gate:
        yield gate
