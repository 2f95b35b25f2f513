"""What goes wrong on the way to Swift or there: no partial object, and the right kind of error."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest

from export_pipeline.errors import AlreadyExists, StoreError, StoreFull, StoreUnavailable
from export_pipeline.storage.http import Http
from export_pipeline.storage.retries import ATTEMPTS
from export_pipeline.storage.store import Store
from export_pipeline.storage.swift import segments
from export_pipeline_tests.servers.faults import Answer, Gate, running_gate
from export_pipeline_tests.storage.conformance import chunked, keys, put, read
from export_pipeline_tests.storage.fault_conformance import LARGE
from export_pipeline_tests.storage.http_fault_conformance import (
    HttpFaultConformance,
    misheard,
    require_told_after_one_try,
)
from export_pipeline_tests.storage.swift.faults import SEGMENT_BYTES, Body, SwiftUpstream
from export_pipeline_tests.storage.upstream import Upstream

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"
ANOTHERS = (AlreadyExists, "already; it was left as it is")


class TestSwiftFaults(HttpFaultConformance):
    part_bytes = SEGMENT_BYTES
    busy = (503, {"x-openstack-request-id": "tx7"}, b"<html><h1>Slow</h1><p>down</p></html>")
    busy_words = (
        r"PUT of 'p/ab' in container 'Container \d+'.*HTTP {status}: Slow down \(request id tx7\)"
    )
    cleans_up = False  # a segment on its way may arrive when the others were removed already
    # Of two writers at once Swift lets both in: other bytes than ours are the other's.
    other_bytes_stored = ANOTHERS
    wrong_checksum = ANOTHERS
    redirected = "HTTP 307"

    def stored(self, upstream: Upstream) -> Answer:
        return 201, {"etag": "900150983cd24fb0d6963f7d28e17f72"}, b""

    def misstated(self, answer: Answer) -> Answer:
        return misheard(answer, "etag", EMPTY_MD5)

    def test_a_server_that_limits_rates_is_asked_again(
        self, upstream: SwiftUpstream, gate: Gate, direct: Store
    ) -> None:
        self.require_asked_again(upstream, gate, direct, (498, *self.busy[1:]))


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
    upstream: SwiftUpstream,
    gate: Gate,
    status: int,
    body: bytes,
    error: type[StoreError],
    words: str,
) -> None:
    store = upstream.store(gate.url)
    calls = [lambda: put(store, "a"), lambda: read(store, "a"), lambda: keys(store)]
    answer = (status, {"x-openstack-request-id": "tx7"}, body)
    require_told_after_one_try(gate, calls, answer, error, words)


class Deaf(Http):
    """Never hears the answer to a manifest, though Swift took it."""

    @asynccontextmanager
    async def answering(
        self, verb: str, url: str, headers: Mapping[str, str], body: Body | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with super().answering(verb, url, headers, body) as response:
            if url.endswith("multipart-manifest=put"):
                await response.read()
                raise StoreUnavailable("the answer was lost")
            yield response


def test_an_object_that_may_be_there_keeps_its_segments(upstream: SwiftUpstream) -> None:
    store = upstream.opened(Deaf())
    with pytest.raises(StoreUnavailable, match="the answer was lost"):
        asyncio.run(store.put("large", chunked(LARGE)))
    assert asyncio.run(store.sweep(0, now=time.time() + 60)) == 0
    assert asyncio.run(read(store, "large")) == LARGE


def test_a_copy_of_an_object_that_is_replaced_meanwhile_is_given_up(
    upstream: SwiftUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "COPY_SEGMENT_BYTES", SEGMENT_BYTES)

    class Replacing(Http):
        @asynccontextmanager
        async def answering(
            self, verb: str, url: str, headers: Mapping[str, str], body: Body | None = None
        ) -> AsyncIterator[aiohttp.ClientResponse]:
            async with super().answering(verb, url, headers, body) as response:
                yield response
            if "x-copy-from" in headers:
                upstream.write("source", LARGE[::-1])

    upstream.write("source", LARGE)
    with pytest.raises(StoreError, match="what is copied was replaced"):
        asyncio.run(upstream.opened(Replacing()).copy("source", "target"))
    assert upstream.server.names(upstream.container) == ["p/source"]


def test_an_object_whose_segments_are_gone_is_told(upstream: SwiftUpstream) -> None:
    store = upstream.store(upstream.url)
    asyncio.run(store.put("large", chunked(LARGE)))
    first = upstream.server.address(upstream.container, upstream.unfinished()[0])
    upstream.server.client.delete(first).raise_for_status()
    with pytest.raises(StoreError, match="its segments are not what they were"):
        asyncio.run(read(store, "large"))


def test_a_keystone_that_is_busy_is_asked_again(upstream: SwiftUpstream) -> None:
    with running_gate(upstream.server.auth_url) as gate:
        store = upstream.opened(Http(), EXPORT_SWIFT_AUTH_URL=gate.url)
        gate.answers = [(503, {}, b""), (429, {"retry-after": "1"}, b"")]
        asyncio.run(put(store, "a"))
        assert gate.requests == ["POST /v3/auth/tokens"] * 3
        store = upstream.opened(Http(), EXPORT_SWIFT_AUTH_URL=gate.url)
        gate.answers = [(503, {}, b"")] * ATTEMPTS
        with pytest.raises(StoreUnavailable, match=f"the login at {gate.url} failed: HTTP 503"):
            asyncio.run(put(store, "b"))
