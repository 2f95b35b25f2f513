import os
from urllib.parse import quote

import pytest

from export_pipeline.storage.open import open_store
from export_pipeline.storage.swift import segments
from export_pipeline.storage.swift.store import SwiftStore
from export_pipeline_tests.servers.swift import Swift
from export_pipeline_tests.storage.swift import faults
from export_pipeline_tests.storage.swift.faults import SwiftUpstream

SEGMENT_BYTES = 100_000


@pytest.fixture
def container(swift: Swift) -> str:
    return swift.new_container()


@pytest.fixture
def store(swift: Swift, container: str) -> SwiftStore:
    opened = open_store(f"swift://{quote(container)}/my%20archive", swift.variables())
    assert isinstance(opened, SwiftStore)
    return opened


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Make segments small, and return an object of four and a half of them."""
    monkeypatch.setattr(segments, "SEGMENT_BYTES", SEGMENT_BYTES)
    return os.urandom(SEGMENT_BYTES * 9 // 2)


@pytest.fixture
def upstream(swift: Swift, container: str, monkeypatch: pytest.MonkeyPatch) -> SwiftUpstream:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", faults.SEGMENT_BYTES)
    return SwiftUpstream(swift, container)
