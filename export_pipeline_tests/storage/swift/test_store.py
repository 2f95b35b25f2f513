import asyncio
from urllib.parse import quote

import pytest

from export_pipeline.storage.open import open_store
from export_pipeline.storage.probe import probe
from export_pipeline.storage.swift import listing, segments
from export_pipeline.storage.swift.store import SwiftStore
from export_pipeline_tests.servers.swift import Swift
from export_pipeline_tests.storage.conformance import StoreConformance, keys, put
from export_pipeline_tests.storage.memory import megabytes_needed


class TestSwiftStore(StoreConformance):
    """Swift looks for an object when a PUT begins, not when it ends.

    So of several writers at once exactly one wins only as they are of one process, as here: the
    store lets them take turns. A slow writer of another process is told of it, see below.
    """

    part_bytes = segments.SEGMENT_BYTES


def test_a_list_goes_over_many_pages_and_past_folders_that_tools_make(
    store: SwiftStore, swift: Swift, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE", 4)
    wanted = sorted(f"a/{number:02}+b c%2F&é" for number in range(11))
    swift.client.put(swift.address(container, "my archive/a/"), content=b"").raise_for_status()

    async def scenario() -> None:
        for key in wanted:
            await put(store, key)
        assert await keys(store) == wanted
        assert await keys(store, "a/0") == wanted[:10]

    asyncio.run(scenario())


def test_an_object_has_the_md5_that_swift_compared(store: SwiftStore) -> None:
    stored = asyncio.run(put(store, "abc", b"abc"))
    assert stored.checksum == "md5:900150983cd24fb0d6963f7d28e17f72"


def test_a_probe_finds_every_step_works_and_leaves_nothing(
    store: SwiftStore, swift: Swift, container: str
) -> None:
    steps = asyncio.run(probe(store))
    assert [(step.name, step.ok) for step in steps] == [
        ("write", True),
        ("read back", True),
        ("create-only", True),
        ("sign", True),
        ("signed upload", True),
        ("create-only by signed URL", True),
        ("delete", True),
    ]
    assert swift.names(container) == []


def test_a_probe_finds_that_swift_does_not_know_the_key(swift: Swift, container: str) -> None:
    changed = swift.variables() | {"EXPORT_SWIFT_TEMPURL_KEY": "another key"}
    steps = asyncio.run(probe(open_store(f"swift://{quote(container)}", changed)))
    assert [(step.name, step.ok) for step in steps][-2:] == [
        ("signed upload", False),
        ("delete", True),
    ]
    assert "answers 401 to an upload by its own signed URL" in steps[-2].words


def test_a_large_stream_needs_little_memory(swift: Swift, container: str) -> None:
    assert megabytes_needed(f"swift://{quote(container)}", swift.variables()) < 150
