from collections.abc import Iterator

import pytest

from export_pipeline.storage.gcs import session
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline.storage.open import open_store
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.servers.google import Google
from export_pipeline_tests.storage.gcs.faults import PART_BYTES, GcsUpstream


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
def upstream(gcs: Gcs, bucket: str, monkeypatch: pytest.MonkeyPatch) -> GcsUpstream:
    monkeypatch.setattr(session, "PART_BYTES", PART_BYTES)
    return GcsUpstream(gcs, bucket)


@pytest.fixture
def ranges(gcs: Gcs) -> list[str]:
    """What this test sends of resumable uploads."""
    gcs.gate.sessions.ranges.clear()
    return gcs.gate.sessions.ranges
