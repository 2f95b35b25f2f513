from collections.abc import Iterator

import pytest

from export_pipeline.storage.gcs import session
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline.storage.open import open_store
from export_pipeline_tests.servers.faults import FaultProxy, Gate, running_fault_proxy
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.servers.google import Google
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.storage.gcs.faults import PART_BYTES


@pytest.fixture
def google(gcs: Gcs) -> Iterator[Google]:
    """Google's identity services, whose faults end with the test."""
    gcs.google.asked.clear()
    yield gcs.google
    gcs.google.token_seconds, gcs.google.delay_seconds = 3600.0, 0.0
    gcs.google.answers.clear()


@pytest.fixture
def bucket(gcs: Gcs) -> str:
    return gcs.new_bucket()


@pytest.fixture
def store(gcs: Gcs, bucket: str) -> GcsStore:
    opened = open_store(f"gs://{bucket}/my archive", gcs.variables())
    assert isinstance(opened, GcsStore)
    return opened


@pytest.fixture
def proxy(gcs: Gcs) -> Iterator[FaultProxy]:
    with running_fault_proxy(gcs.url) as proxy:
        yield proxy


@pytest.fixture
def gate(gcs: Gcs) -> Iterator[tuple[Gate, str]]:
    gate = Gate(gcs.url)
    with running(gate) as url:
        yield gate, url


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PART_BYTES", PART_BYTES)


@pytest.fixture
def ranges(gcs: Gcs) -> list[str]:
    """What this test sends of resumable uploads."""
    gcs.gate.sessions.ranges.clear()
    return gcs.gate.sessions.ranges
