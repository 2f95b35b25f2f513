"""Objects in segments: whole, checked, create-only, and nothing left of them."""

import asyncio
import time

import pytest

from export_pipeline.archive.bag import bags
from export_pipeline.errors import AlreadyExists, StoreError
from export_pipeline.storage.store import CHUNK_BYTES
from export_pipeline.storage.swift import segments
from export_pipeline.storage.swift.store import SwiftStore
from export_pipeline_tests.servers.swift import Swift
from export_pipeline_tests.storage.conformance import (
    StoreConformance,
    chunked,
    keys,
    put,
    read,
)
from export_pipeline_tests.storage.swift.conftest import SEGMENT_BYTES

HIDDEN = "my archive/.segments/"


class TestSwiftStoreInSegments(StoreConformance):
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(segments, "SEGMENT_BYTES", CHUNK_BYTES // 2)


def test_an_object_in_segments_is_whole_checked_and_create_only(
    store: SwiftStore, swift: Swift, container: str, small_segments: bytes
) -> None:
    async def scenario() -> None:
        stored = await store.put("large", chunked(small_segments), content_type="text/csv")
        assert stored.size == len(small_segments)
        assert (stored.checksum or "").startswith("md5-of-md5s:")
        assert await store.stat("large") == stored
        with pytest.raises(AlreadyExists, match="large"):
            await store.put("large", chunked(small_segments[::-1]))
        assert await read(store, "large") == small_segments
        begin = SEGMENT_BYTES + 3
        assert await read(store, "large", offset=begin) == small_segments[begin:]
        assert await keys(store) == ["large"]

    asyncio.run(scenario())
    assert len(swift.names(container)) == 1 + 5
    kept = swift.client.head(swift.address(container, "my archive/large"))
    assert kept.headers["content-type"] == "text/csv"


def test_a_stream_of_exactly_one_segment_is_one_put(
    store: SwiftStore, swift: Swift, container: str, small_segments: bytes
) -> None:
    one = small_segments[:SEGMENT_BYTES]
    asyncio.run(store.put("one", chunked(one)))
    assert swift.names(container) == ["my archive/one"]
    asyncio.run(store.put("two", chunked(small_segments[: SEGMENT_BYTES + 1])))
    assert len(swift.names(container)) == 2 + 2
    assert asyncio.run(read(store, "one")) == one


def test_more_segments_than_a_manifest_names_are_named_by_manifests_of_manifests(
    store: SwiftStore,
    swift: Swift,
    container: str,
    small_segments: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segments, "MANIFEST_SEGMENTS", 2)

    async def scenario() -> None:
        stored = await store.put("very large", chunked(small_segments))
        assert stored == await store.stat("very large")
        assert stored.size == len(small_segments)
        assert await read(store, "very large", offset=1) == small_segments[1:]
        assert await store.sweep(0, now=time.time() + 60) == 0
        await store.copy("very large", "copied")
        await store.delete("very large")
        assert await read(store, "copied") == small_segments
        await store.delete("copied")

    asyncio.run(scenario())
    assert swift.names(container) == []


def test_a_deleted_object_takes_its_own_segments_with_it_and_no_others(
    store: SwiftStore, swift: Swift, container: str, small_segments: bytes
) -> None:
    async def scenario() -> None:
        for key in ("a", "a/b", "a/b/c"):
            await store.put(key, chunked(small_segments))
        await store.delete("a/b")
        assert await keys(store) == ["a", "a/b/c"]
        for key in ("a", "a/b/c"):
            assert await read(store, key) == small_segments
            await store.delete(key)

    asyncio.run(scenario())
    assert swift.names(container) == []


def test_segments_are_in_no_listing_of_bags(store: SwiftStore, small_segments: bytes) -> None:
    async def scenario() -> None:
        await store.put("copyleaks/default/scan/1/data/pdf_report", chunked(small_segments))
        await put(store, "copyleaks/default/scan/1/bagit.txt")
        (bag,) = [found async for found in bags(store)]
        assert bag.prefix == "copyleaks/default/scan/1/"
        assert bag.sizes == {"bagit.txt": 1, "data/pdf_report": len(small_segments)}

    asyncio.run(scenario())


def test_the_folder_of_segments_holds_no_keys(store: SwiftStore) -> None:
    with pytest.raises(StoreError, match=r"is not a key: \.segments/ holds parts"):
        asyncio.run(put(store, ".segments/a"))


def test_a_sweep_takes_what_crashed_writers_left_and_nothing_else(
    store: SwiftStore, swift: Swift, container: str, small_segments: bytes
) -> None:
    left = ["crashed/=2e/x y/0123456789abcdef/00000000", "large/0123456789abcdef/00000000"]
    others = [".segments/other/0123456789abcdef/00000000", f"{HIDDEN}of-somebody"]
    for name in [*(HIDDEN + one for one in left), *others]:
        swift.client.put(swift.address(container, name), content=b"x").raise_for_status()

    async def scenario() -> None:
        await store.put("large", chunked(small_segments))
        assert await store.sweep(3_600, now=time.time()) == 0
        assert await store.sweep(3_600, now=time.time() + 7_200) == 2
        assert await read(store, "large") == small_segments

    asyncio.run(scenario())
    names = swift.names(container)
    assert len(names) == 1 + 5 + 2
    assert set(others) < set(names)


def test_a_large_object_is_copied_in_segments_by_swift(
    store: SwiftStore,
    swift: Swift,
    container: str,
    monkeypatch: pytest.MonkeyPatch,
    small_segments: bytes,
) -> None:
    monkeypatch.setattr(segments, "COPY_SEGMENT_BYTES", SEGMENT_BYTES * 2)

    async def scenario() -> None:
        source = 'a/=2e=2e/b%2f;:"<x>+ é'
        await store.put(source, chunked(small_segments), content_type="text/csv")
        copied = await store.copy(source, f"deep/{source}")
        assert copied.size == len(small_segments)
        await store.delete(source)
        assert await read(store, copied.key) == small_segments
        name = swift.address(container, f"my archive/{copied.key}")
        assert swift.client.head(name).headers["content-type"] == "text/csv"
        await put(store, "empty", b"")
        assert (await store.copy("empty", "empty-too")).size == 0

    asyncio.run(scenario())
