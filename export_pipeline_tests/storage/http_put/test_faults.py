"""What goes wrong on the way to a web server or there: no partial object, and the right error."""

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from export_pipeline.errors import AccessDenied, StoreError, StoreFull
from export_pipeline.storage.http_put import spool
from export_pipeline.storage.http_put.store import HttpPutStore
from export_pipeline.storage.store import Store
from export_pipeline_tests.servers.faults import Answer, Gate, running_fault_proxy
from export_pipeline_tests.servers.nginx import Nginx
from export_pipeline_tests.servers.web_target import TOKEN, running_web_target
from export_pipeline_tests.storage.conformance import chunked, keys, put, read
from export_pipeline_tests.storage.fault_conformance import LARGE, FaultConformance
from export_pipeline_tests.storage.http_fault_conformance import (
    HttpFaultConformance,
    misheard,
    require_told_after_one_try,
)
from export_pipeline_tests.storage.http_put.faults import NOW, WebUpstream
from export_pipeline_tests.storage.upstream import Pauses, Upstream

SCRATCH = ".check/a"
"""A key that no index names, so that a test sees the requests for the object alone."""


class TestHttpPutFaults(HttpFaultConformance):
    leaves_unfinished = False  # what is written is first taken in whole
    sends_changed_bytes_again = ()  # the server checks nothing: they are read back
    scratch = SCRATCH
    busy = (503, {"x-request-id": "7"}, b"")
    busy_words = r"PUT http.*/\.check/ab: HTTP {status}, request id 7"
    redirected = r"redirects to 127\.0\.0\.1"

    def stored(self, upstream: Upstream) -> Answer:
        return 201, {}, b""

    def misstated(self, answer: Answer) -> Answer:
        return misheard(answer, "etag", '"another"')

    @pytest.mark.parametrize("status", [408, 423, 502, 504])
    def test_a_server_that_is_busy_in_other_words_is_asked_again(
        self, upstream: WebUpstream, gate: Gate, direct: Store, status: int
    ) -> None:
        self.require_asked_again(upstream, gate, direct, (status, *self.busy[1:]))


class TestHttpPutFaultsOnNginx(FaultConformance):
    leaves_unfinished = False
    sends_changed_bytes_again = ()

    @pytest.fixture
    def upstream(self, nginx: Nginx) -> WebUpstream:
        return WebUpstream(nginx, nginx.new_folder())


@pytest.mark.parametrize("offset", [0, 1_234_567])
def test_a_read_goes_on_where_it_was_cut_although_the_server_gives_no_ranges(
    tmp_path: Path, offset: int
) -> None:
    with (
        running_web_target(tmp_path / "web", gives_ranges=False) as web,
        running_fault_proxy(web.url) as proxy,
    ):
        store = WebUpstream(web, web.new_folder()).store(proxy.url)
        asyncio.run(store.put("large", chunked(LARGE)))
        proxy.strike(1, cut_answer_at=3_000_000)
        assert asyncio.run(read(store, "large", offset)) == LARGE[offset:]
        assert proxy.times == 0


@pytest.mark.parametrize("call", ["put", "read"])
def test_a_date_to_wait_for_is_waited_for(upstream: WebUpstream, gate: Gate, call: str) -> None:
    pauses = Pauses()
    store = upstream.store(gate.url, sleep=pauses)
    asyncio.run(put(store, ".check/read", b"x"))
    in_20_seconds = format_datetime(datetime.fromtimestamp(NOW + 20, UTC), usegmt=True)
    gate.answers = [(429, {"retry-after": in_20_seconds}, b"")]
    asyncio.run(put(store, SCRATCH) if call == "put" else read(store, ".check/read"))
    assert pauses == [20]


@pytest.mark.parametrize(
    ("status", "headers", "error", "words"),
    [
        (401, {}, AccessDenied, "check EXPORT_HTTP_USERNAME"),
        (403, {}, AccessDenied, "access denied"),
        (404, {}, StoreError, "makes no folders.*create_full_put_path"),
        (409, {}, StoreError, "makes no folders.*create_full_put_path"),
        (405, {}, StoreError, "dav_methods PUT DELETE"),
        (501, {}, StoreError, "dav_methods PUT DELETE"),
        (413, {}, StoreError, "client_max_body_size"),
        (507, {}, StoreFull, "no room left"),
        (202, {}, StoreError, "look in its log"),
        (400, {"x-request-id": "7"}, StoreError, r"look in its log \(HTTP 400, request id 7\)"),
        (302, {"location": "https://u:p@other.example/x?sig=s"}, StoreError, "to other.example,"),
        (308, {}, StoreError, "redirects to another address"),
    ],
)
def test_an_error_that_will_not_go_away_is_told_in_words_after_one_try(
    upstream: WebUpstream,
    gate: Gate,
    status: int,
    headers: dict[str, str],
    error: type[StoreError],
    words: str,
) -> None:
    store = upstream.store(gate.url)
    answer = (status, headers, b"very-secret")
    told = require_told_after_one_try(gate, [lambda: put(store, SCRATCH)], answer, error, words)
    for secret in (TOKEN, "very-secret", "u:p", "sig"):
        assert secret not in told


def test_a_server_that_does_not_tell_sizes_is_named(upstream: WebUpstream, gate: Gate) -> None:
    gate.dropped = {"content-length"}
    store = upstream.store(gate.url)
    asyncio.run(put(store, SCRATCH))
    with pytest.raises(StoreError, match="does not tell its size"):
        asyncio.run(store.stat(SCRATCH))


def test_a_full_temporary_folder_is_told_with_its_name(
    store: HttpPutStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(spool.SpooledTemporaryFile[bytes]):
        def write(self, piece: bytes) -> int:  # type: ignore[override]
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "SpooledTemporaryFile", Full)
    with pytest.raises(StoreFull, match=r"No space left on device; .*TMPDIR"):
        asyncio.run(put(store, "a"))
    assert asyncio.run(keys(store)) == []
