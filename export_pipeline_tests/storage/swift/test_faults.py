"""Cuts, resets, stalls and a busy server: no partial object, and the right kind of error."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import quote, urlsplit

import aiohttp
import pytest

from export_pipeline.errors import AlreadyExists, StoreError, StoreFull, StoreUnavailable
from export_pipeline.storage.http import Http
from export_pipeline.storage.retries import ATTEMPTS
from export_pipeline.storage.swift import segments
from export_pipeline.storage.swift.open import open_store
from export_pipeline.storage.swift.store import SwiftStore
from export_pipeline_tests.servers.faults import FaultProxy, Gate, running_fault_proxy
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.servers.swift import Swift
from export_pipeline_tests.storage.conformance import chunked, keys, put, read

SEGMENT_BYTES = 2_000_000
DATA = os.urandom(SEGMENT_BYTES * 3)


def origin(swift: Swift) -> str:
    """The proxy's address, before the account's path."""
    return swift.url.partition("/v1/")[0]


@pytest.fixture
def proxy(swift: Swift) -> Iterator[FaultProxy]:
    with running_fault_proxy(origin(swift)) as proxy:
        yield proxy


@pytest.fixture
def gate(swift: Swift) -> Iterator[tuple[Gate, str]]:
    gate = Gate(origin(swift))
    with running(gate) as url:
        yield gate, url


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES", SEGMENT_BYTES)


class Detour(Http):
    """Goes another way to Swift than Keystone tells."""

    def __init__(self, there: str, here: str, stall_seconds: float = 60.0) -> None:
        super().__init__(stall_seconds)
        self._there, self._here = there, here

    def answering(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes | memoryview] | None = None,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return super().answering(verb, url.replace(self._there, self._here), headers, body)


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


def opened(
    swift: Swift,
    container: str,
    http: Http,
    sleep: Callable[[float], Awaitable[None]] = at_once,
    **changes: str,
) -> SwiftStore:
    parts = urlsplit(f"swift://{quote(container)}/p")
    return open_store(parts, swift.variables() | changes, http=http, sleep=sleep)


def through(url: str, swift: Swift, container: str, stall_seconds: float = 60.0) -> SwiftStore:
    return opened(swift, container, Detour(origin(swift), url, stall_seconds))


FAULTS = [
    {"cut_upload_at": 1},
    {"cut_upload_at": 1_000_000},
    {"cut_answer_at": 0},
    {"reset": True},
    {"stall_upload_at": 200_000},
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [1_500_000, len(DATA)])
def test_a_write_survives_two_faults(
    proxy: FaultProxy, swift: Swift, container: str, fault: dict[str, int], size: int
) -> None:
    store = through(proxy.url, swift, container, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 2
    stored = asyncio.run(store.put("large", chunked(DATA[:size])))
    assert proxy.hits == 2
    assert stored.size == size
    assert asyncio.run(read(store, "large")) == DATA[:size]
    asyncio.run(store.delete("large"))
    assert swift.names(container) == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [1_500_000, len(DATA)])
def test_a_write_that_never_gets_through_is_transient_and_leaves_nothing_half(
    proxy: FaultProxy, swift: Swift, container: str, fault: dict[str, int], size: int
) -> None:
    store = through(proxy.url, swift, container, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 1_000
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+"):
        asyncio.run(store.put("large", chunked(DATA[:size])))
    proxy.times = 0
    for key in asyncio.run(keys(store)):
        assert asyncio.run(read(store, key)) == DATA[:size]
    asyncio.run(store.sweep(0, now=time.time() + 60))
    asyncio.run(store.delete("large"))
    assert swift.names(container) == []


class Deaf(Http):
    """Never hears the answer to a manifest, though Swift took it."""

    @asynccontextmanager
    async def answering(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes | memoryview] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with super().answering(verb, url, headers, body) as response:
            if url.endswith("multipart-manifest=put"):
                await response.read()
                raise StoreUnavailable("the answer was lost")
            yield response


def test_an_object_that_may_be_there_keeps_its_segments(swift: Swift, container: str) -> None:
    store = opened(swift, container, Deaf())
    with pytest.raises(StoreUnavailable, match="the answer was lost"):
        asyncio.run(store.put("large", chunked(DATA)))
    assert asyncio.run(store.sweep(0, now=time.time() + 60)) == 0
    assert asyncio.run(read(store, "large")) == DATA


@pytest.mark.parametrize("offset", [0, 1_234_567])
def test_a_read_goes_on_where_it_was_cut(
    proxy: FaultProxy, swift: Swift, container: str, offset: int
) -> None:
    store = through(proxy.url, swift, container)
    asyncio.run(store.put("large", chunked(DATA)))
    proxy.cut_answer_at, proxy.times = 1_300_000, 3
    assert asyncio.run(read(store, "large", offset)) == DATA[offset:]
    assert proxy.hits == 3


def test_a_read_never_joins_two_objects(proxy: FaultProxy, swift: Swift, container: str) -> None:
    store = through(proxy.url, swift, container)
    asyncio.run(store.put("large", chunked(DATA)))

    async def scenario() -> None:
        proxy.cut_answer_at, proxy.times = 3_000_000, 1
        reading = store.open("large")
        await anext(reading)
        name = swift.address(container, "p/large")
        swift.client.put(name, content=DATA[::-1]).raise_for_status()
        with pytest.raises(StoreError, match="'p/large' was replaced"):
            async for _ in reading:
                pass

    asyncio.run(scenario())


def test_a_copy_of_an_object_that_is_replaced_meanwhile_is_given_up(
    swift: Swift, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "COPY_SEGMENT_BYTES", SEGMENT_BYTES)
    name = swift.address(container, "p/source")

    class Replacing(Http):
        @asynccontextmanager
        async def answering(
            self,
            verb: str,
            url: str,
            headers: Mapping[str, str],
            body: Iterable[bytes | memoryview] | None = None,
        ) -> AsyncIterator[aiohttp.ClientResponse]:
            async with super().answering(verb, url, headers, body) as response:
                yield response
            if "x-copy-from" in headers:
                swift.client.put(name, content=DATA[::-1]).raise_for_status()

    store = opened(swift, container, Replacing())
    swift.client.put(name, content=DATA).raise_for_status()
    with pytest.raises(StoreError, match="what is copied was replaced"):
        asyncio.run(store.copy("source", "target"))
    assert swift.names(container) == ["p/source"]


@pytest.mark.parametrize("status", [429, 498, 500, 503])
def test_a_busy_server_is_asked_again(
    gate: tuple[Gate, str], swift: Swift, container: str, status: int
) -> None:
    app, url = gate
    store = through(url, swift, container)
    busy = (status, {"x-openstack-request-id": "tx7"}, b"<html><h1>Slow</h1><p>down</p></html>")
    app.answers = [busy] * (ATTEMPTS - 1)
    asyncio.run(put(store, "a", b"x"))
    assert app.requests[ATTEMPTS - 1].startswith("PUT ")
    app.answers = [busy] * ATTEMPTS
    told = rf"PUT of 'p/b' in container '{container}'.*HTTP {status}: Slow down \(request id tx7\)"
    with pytest.raises(StoreUnavailable, match=told):
        asyncio.run(put(store, "b"))
    assert asyncio.run(keys(store)) == ["a"]


def test_the_server_says_how_long_to_wait(
    gate: tuple[Gate, str], swift: Swift, container: str
) -> None:
    app, url = gate
    slept: list[float] = []

    async def noted(seconds: float) -> None:
        slept.append(seconds)

    store = opened(swift, container, Detour(origin(swift), url), noted)
    app.answers = [(503, {"retry-after": "17"}, b"")]
    asyncio.run(put(store, "a"))
    assert slept == [17.0]
    app.answers = [(503, {"retry-after": "3600"}, b"")]
    with pytest.raises(StoreUnavailable, match="HTTP 503"):
        asyncio.run(put(store, "b"))
    assert slept == [17.0]


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (413, b"Upload exceeds quota.", StoreFull, "no room left.*exceeds quota"),
        (507, b"", StoreFull, "no room left.*HTTP 507"),
        (400, b"Bad name", StoreError, r"HTTP 400: Bad name \(request id tx7\)"),
        (413, b"Your request is too large.", StoreError, "HTTP 413: Your request is too large"),
    ],
)
def test_an_error_that_will_not_go_away_is_told_in_words_after_one_try(
    gate: tuple[Gate, str],
    swift: Swift,
    container: str,
    status: int,
    body: bytes,
    error: type[StoreError],
    words: str,
) -> None:
    app, url = gate
    store = through(url, swift, container)
    for call in (lambda: put(store, "a"), lambda: read(store, "a"), lambda: keys(store)):
        app.answers = [(status, {"x-openstack-request-id": "tx7"}, body)]
        app.requests = []
        with pytest.raises(error, match=words) as told:
            asyncio.run(call())
        assert not told.value.transient
        assert len(app.requests) == 1


def test_an_object_whose_segments_are_gone_is_told(
    swift: Swift, store: SwiftStore, container: str
) -> None:
    asyncio.run(store.put("large", chunked(DATA)))
    first = next(name for name in swift.names(container) if "/.segments/large/" in name)
    swift.client.delete(swift.address(container, first)).raise_for_status()
    with pytest.raises(StoreError, match="its segments are not what they were"):
        asyncio.run(read(store, "large"))


class Corrupting(Http):
    """Changes a byte on the way, some times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    def answering(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes | memoryview] | None = None,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        if body is not None and verb == "PUT" and self._times:
            self._times -= 1
            body = [b"".join(body)[:-1] + b"?"]
        return super().answering(verb, url, headers, body)


@pytest.mark.parametrize("size", [100_000, len(DATA)])
def test_bytes_that_change_on_their_way_are_sent_again(
    swift: Swift, container: str, size: int
) -> None:
    store = opened(swift, container, Corrupting(2))
    asyncio.run(store.put("sent", chunked(DATA[:size])))
    assert asyncio.run(read(store, "sent")) == DATA[:size]
    store = opened(swift, container, Corrupting(1_000))
    with pytest.raises(StoreUnavailable, match="other bytes arrived than were sent"):
        asyncio.run(store.put("never", chunked(DATA[:size])))
    assert asyncio.run(keys(store)) == ["sent"]


def test_a_success_that_stored_nothing_is_noticed(
    gate: tuple[Gate, str], swift: Swift, container: str
) -> None:
    app, url = gate
    app.answers = [(201, {"etag": "900150983cd24fb0d6963f7d28e17f72"}, b"")]
    with pytest.raises(StoreUnavailable, match="'a' was written and is not there"):
        asyncio.run(put(through(url, swift, container), "a", b"abc"))


def test_a_lost_answer_to_our_own_write_is_told_from_another_writers_object(
    proxy: FaultProxy, swift: Swift, container: str
) -> None:
    store = through(proxy.url, swift, container)
    proxy.cut_answer_at, proxy.times = 0, 1
    assert asyncio.run(put(store, "ours", b"same")).size == 4
    swift.client.put(swift.address(container, "p/theirs"), content=b"other").raise_for_status()
    proxy.times = 1
    with pytest.raises(AlreadyExists, match="theirs"):
        asyncio.run(put(store, "theirs", b"same"))


def test_a_keystone_that_is_busy_is_asked_again(swift: Swift, container: str) -> None:
    app = Gate(swift.auth_url)
    with running(app) as url:
        store = opened(swift, container, Http(), EXPORT_SWIFT_AUTH_URL=url)
        app.answers = [(503, {}, b""), (429, {"retry-after": "1"}, b"")]
        asyncio.run(put(store, "a"))
        assert app.requests == ["POST /v3/auth/tokens"] * 3
        store = opened(swift, container, Http(), EXPORT_SWIFT_AUTH_URL=url)
        app.answers = [(503, {}, b"")] * ATTEMPTS
        with pytest.raises(StoreUnavailable, match=f"the login at {url} failed: HTTP 503"):
            asyncio.run(put(store, "b"))


def test_a_credential_is_never_sent_on_by_a_redirect(
    gate: tuple[Gate, str], swift: Swift, container: str
) -> None:
    app, url = gate
    app.answers = [(307, {"location": f"{url}/elsewhere"}, b"")]
    with pytest.raises(StoreError, match="HTTP 307"):
        asyncio.run(put(through(url, swift, container), "a"))
    assert len(app.requests) == 1
