import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import quote, urlsplit

import aiohttp
import pytest

from export_pipeline.archive.bag import bags
from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from export_pipeline.storage.http import Http
from export_pipeline.storage.open import open_store
from export_pipeline.storage.probe import probe
from export_pipeline.storage.store import CHUNK_BYTES, Store, pieces
from export_pipeline.storage.swift import client, listing, segments
from export_pipeline.storage.swift.open import open_store as open_with
from export_pipeline.storage.swift.store import SwiftStore
from export_pipeline_tests.servers.keystone import READER
from export_pipeline_tests.servers.swift import Swift
from export_pipeline_tests.storage.conformance import StoreConformance, broken_off, keys, put, read
from export_pipeline_tests.storage.memory import megabytes_needed

SEGMENT_BYTES = 100_000
HIDDEN = "my archive/.segments/"


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Make segments small, and return an object of four and a half of them."""
    monkeypatch.setattr(segments, "SEGMENT_BYTES", SEGMENT_BYTES)
    return os.urandom(SEGMENT_BYTES * 9 // 2)


class TestSwiftStore(StoreConformance):
    """Swift looks for an object when a PUT begins, not when it ends.

    So of several writers at once exactly one wins only as they are of one process, as here: the
    store lets them take turns. A slow writer of another process is told of it, see below.
    """


class TestSwiftStoreInSegments(StoreConformance):
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(segments, "SEGMENT_BYTES", CHUNK_BYTES // 2)


def chunked(data: bytes) -> AsyncIterator[bytes]:
    return pieces([data[start : start + 70_001] for start in range(0, len(data), 70_001)])


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


def test_segments_are_removed_when_the_stream_breaks_off_or_the_writer_is_cancelled(
    store: SwiftStore, swift: Swift, container: str, small_segments: bytes
) -> None:
    async def endless(begun: asyncio.Event) -> AsyncIterator[bytes]:
        yield small_segments
        begun.set()
        await asyncio.Event().wait()

    async def scenario() -> None:
        with pytest.raises(ConnectionResetError):
            await store.put("broken", broken_off(small_segments))
        begun = asyncio.Event()
        writing = asyncio.create_task(store.put("cancelled", endless(begun)))
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await store.sweep(0, now=time.time() + 60)

    asyncio.run(scenario())
    assert swift.names(container) == []


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


def test_a_refused_copy_leaves_no_segments(store: SwiftStore, swift: Swift, container: str) -> None:
    async def scenario() -> None:
        await put(store, "source")
        await put(store, "taken")
        with pytest.raises(AlreadyExists, match="taken"):
            await store.copy("source", "taken")

    asyncio.run(scenario())
    assert swift.names(container) == ["my archive/source", "my archive/taken"]


class Interrupted(Http):
    """Lets another write between the first bytes of a PUT and the rest."""

    def __init__(self, other: Callable[[], None]) -> None:
        super().__init__()
        self._other = other

    def answering(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes | memoryview] | None = None,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        slowly = self._slowly(body) if body is not None and verb == "PUT" else body
        return super().answering(verb, url, headers, slowly)

    def _slowly(self, body: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        first, *rest = body
        yield first
        time.sleep(0.5)
        self._other()
        yield from rest


def test_a_writer_is_told_if_another_began_later_and_was_faster(
    swift: Swift, container: str
) -> None:
    """Swift answers 201 to both, and keeps what began later."""

    def other() -> None:
        name = swift.address(container, "p/contested")
        swift.client.put(name, content=b"theirs", headers={"If-None-Match": "*"})

    parts = urlsplit(f"swift://{quote(container)}/p")
    slow = open_with(parts, swift.variables(), http=Interrupted(other))
    with pytest.raises(AlreadyExists, match="contested"):
        asyncio.run(slow.put("contested", pieces([b"ours ", b"is slow"])))
    assert asyncio.run(read(slow, "contested")) == b"theirs"


class Counting(Http):
    """Notes how many PUTs of each URL, and of all, were under way at once at most."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    @asynccontextmanager
    async def answering(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes | memoryview] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        counted = [url.rpartition("/")[2], "all"] if verb == "PUT" else []
        self.under_way.update(counted)
        self.most |= self.under_way
        try:
            async with super().answering(verb, url, headers, body) as response:
                yield response
        finally:
            self.under_way.subtract(counted)


def test_writers_of_one_process_take_turns_at_one_object_and_not_at_others(
    swift: Swift, container: str
) -> None:
    http = Counting()
    parts = urlsplit(f"swift://{quote(container)}/p")
    store = open_with(parts, swift.variables(), http=http)

    async def scenario() -> None:
        wanted = [key for key in ("a", "b", "c") for _ in range(4)]
        outcomes = await asyncio.gather(
            *(put(store, key) for key in wanted), return_exceptions=True
        )
        assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 9

    asyncio.run(scenario())
    assert http.most == {"a": 1, "b": 1, "c": 1, "all": 3}


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


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"EXPORT_SWIFT_PASSWORD": "wrong"}, AccessDenied, "EXPORT_SWIFT_PASSWORD"),
        ({"EXPORT_SWIFT_TENANT_NAME": "none"}, AccessDenied, "EXPORT_SWIFT_TENANT_NAME"),
        ({"EXPORT_SWIFT_TENANT_NAME": ""}, StoreError, "set EXPORT_SWIFT_TENANT_NAME"),
        ({"EXPORT_SWIFT_USER_DOMAIN": "x"}, AccessDenied, "EXPORT_SWIFT_USER_DOMAIN"),
        ({"EXPORT_SWIFT_REGION": "R2"}, StoreError, "in RegionOne: set EXPORT_SWIFT_REGION"),
        ({"EXPORT_SWIFT_INTERFACE": "admin"}, StoreError, "EXPORT_SWIFT_INTERFACE"),
        ({"EXPORT_SWIFT_AUTH_URL": "http://127.0.0.1:1"}, StoreUnavailable, "127.0.0.1:1 gave no"),
    ],
)
def test_a_mistake_in_the_settings_is_told_by_every_method(
    swift: Swift,
    container: str,
    changes: dict[str, str],
    error: type[StoreError],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "ATTEMPTS", 1)
    store = open_store(f"swift://{quote(container)}", swift.variables() | changes)
    _every_method(store, error, words)
    with pytest.raises(error, match=words):
        store.sign_upload("a", seconds=60)


def test_an_address_that_is_no_keystone_is_told(swift: Swift, container: str) -> None:
    elsewhere = {"EXPORT_SWIFT_AUTH_URL": swift.url.partition("/v1/")[0]}
    store = open_store(f"swift://{quote(container)}", swift.variables() | elsewhere)
    with pytest.raises(StoreError, match="is no Keystone v3: check EXPORT_SWIFT_AUTH_URL"):
        asyncio.run(put(store, "a"))


def test_a_missing_container_is_never_taken_for_a_missing_object(swift: Swift) -> None:
    store = open_store("swift://no-such-container/p", swift.variables())
    _every_method(store, StoreError, "'no-such-container'.*no such container: make it")


def test_who_may_only_read_is_told_what_to_grant(swift: Swift, container: str) -> None:
    store = open_store(f"swift://{quote(container)}/p", swift.variables(READER))
    granted = r"PUT of 'p/a'.*role in the project.*X-Container-Write.*request id tx"
    with pytest.raises(AccessDenied, match=granted):
        asyncio.run(put(store, "a"))
    assert asyncio.run(keys(store)) == []


def test_a_full_container_is_told(
    store: SwiftStore, swift: Swift, container: str, small_segments: bytes
) -> None:
    quota = {"X-Container-Meta-Quota-Bytes": str(SEGMENT_BYTES * 2)}
    swift.client.post(swift.address(container), headers=quota).raise_for_status()
    with pytest.raises(StoreFull, match=r"no room left.*quota"):
        asyncio.run(store.put("large", chunked(small_segments)))
    assert swift.names(container) == []


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


def _every_method(store: Store, error: type[StoreError], words: str) -> None:
    async def scenario() -> None:
        for call in (
            put(store, "a"),
            store.put("parts", pieces([b"x" * CHUNK_BYTES] * 17)),
            store.stat("a"),
            read(store, "a"),
            keys(store),
            store.copy("a", "b"),
            store.delete("a"),
            store.sweep(0, 0),
        ):
            with pytest.raises(error, match=words) as told:
                await call
            assert "password-of" not in str(told.value)

    asyncio.run(scenario())
