"""Cuts, resets, stalls and a busy server: no partial object, and the right kind of error."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from export_pipeline.storage.http import Http
from export_pipeline.storage.http_put import spool
from export_pipeline.storage.http_put.open import open_store
from export_pipeline.storage.http_put.store import HttpPutStore
from export_pipeline.storage.retries import ATTEMPTS
from export_pipeline_tests.servers.faults import FaultProxy, Gate, running_fault_proxy
from export_pipeline_tests.servers.nginx import Nginx
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.servers.web_target import TOKEN, WebTarget, running_web_target
from export_pipeline_tests.storage.conformance import chunked, keys, put, read

DATA = os.urandom(6_000_000)
NOW = 1_800_000_000
SCRATCH = ".check/a"
"""A key that no index names, so that a test sees the requests for the object alone."""


@pytest.fixture
def proxy(web: WebTarget) -> Iterator[FaultProxy]:
    with running_fault_proxy(web.url) as proxy:
        yield proxy


@pytest.fixture
def gate(web: WebTarget) -> Iterator[tuple[Gate, str]]:
    gate = Gate(web.url)
    with running(gate) as url:
        yield gate, url


class Pauses(list[float]):
    """Waits not at all, and notes how long it was asked to."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


def through(
    url: str, web: WebTarget, *, stall_seconds: float = 60.0, pauses: Pauses | None = None
) -> HttpPutStore:
    parts = urlsplit(web.new_folder().replace(web.url, url))
    sleep = Pauses() if pauses is None else pauses
    return open_store(
        parts, web.variables(), http=Http(stall_seconds), now=lambda: NOW, sleep=sleep
    )


FAULTS = [
    {"cut_upload_at": 1},
    {"cut_upload_at": 1_000_000},
    {"cut_answer_at": 0},
    {"reset": True},
    {"stall_upload_at": 200_000},
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [2_000_000, len(DATA)])
def test_a_write_survives_two_faults(
    proxy: FaultProxy, web: WebTarget, fault: dict[str, int], size: int
) -> None:
    stall_seconds = 1.0 if "stall_upload_at" in fault else 60.0
    store = through(proxy.url, web, stall_seconds=stall_seconds)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 2
    stored = asyncio.run(store.put("large", chunked(DATA[:size])))
    assert proxy.hits == 2
    assert stored.size == size
    assert asyncio.run(read(store, "large")) == DATA[:size]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("server", ["web", "nginx"])
def test_a_write_that_never_gets_through_is_transient_and_leaves_nothing_half(
    server: str, fault: dict[str, int], request: pytest.FixtureRequest
) -> None:
    target: WebTarget | Nginx = request.getfixturevalue(server)
    stall_seconds = 0.3 if "stall_upload_at" in fault else 60.0
    folder = target.new_folder()
    with running_fault_proxy(target.url) as proxy:
        address = urlsplit(folder.replace(target.url, proxy.url))
        http, pauses = Http(stall_seconds), Pauses()
        store = open_store(address, target.variables(), http=http, sleep=pauses)
        for name, value in fault.items():
            setattr(proxy, name, value)
        proxy.times = 1_000
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+"):
            asyncio.run(store.put(SCRATCH, chunked(DATA)))
        proxy.times = 0
        found = asyncio.run(store.stat(SCRATCH))
        assert found is None or asyncio.run(read(store, SCRATCH)) == DATA


@pytest.mark.parametrize("offset", [0, 1_234_567])
@pytest.mark.parametrize("gives_ranges", [True, False])
def test_a_read_goes_on_where_it_was_cut(tmp_path: Path, offset: int, gives_ranges: bool) -> None:
    with (
        running_web_target(tmp_path / "web", gives_ranges=gives_ranges) as web,
        running_fault_proxy(web.url) as proxy,
    ):
        store = through(proxy.url, web)
        asyncio.run(store.put("large", chunked(DATA)))
        proxy.cut_answer_at, proxy.times = 3_000_000, 1
        assert asyncio.run(read(store, "large", offset)) == DATA[offset:]
        assert proxy.hits == 1


def test_a_read_that_is_cut_again_and_again_goes_on_as_long_as_bytes_come(
    proxy: FaultProxy, web: WebTarget
) -> None:
    store = through(proxy.url, web)
    asyncio.run(store.put("large", chunked(DATA)))
    proxy.cut_answer_at, proxy.times = 700_000, ATTEMPTS + 2
    assert asyncio.run(read(store, "large")) == DATA
    assert proxy.hits == ATTEMPTS + 2


def test_a_read_never_joins_two_objects(proxy: FaultProxy, web: WebTarget) -> None:
    store = through(proxy.url, web)
    asyncio.run(store.put("large", chunked(DATA)))
    path = web.files / urlsplit(store.url).path.strip("/") / "large"

    async def scenario() -> None:
        proxy.cut_answer_at, proxy.times = 4_000_000, 1
        reading = store.open("large")
        await anext(reading)
        path.write_bytes(DATA[::-1])
        with pytest.raises(StoreError, match="'large' was replaced"):
            async for _ in reading:
                pass

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [408, 423, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(gate: tuple[Gate, str], web: WebTarget, status: int) -> None:
    app, url = gate
    store = through(url, web)
    app.answers = [(status, {}, b"")] * (ATTEMPTS - 1)
    asyncio.run(put(store, SCRATCH, b"x"))
    assert [line.split()[0] for line in app.requests] == ["PUT"] * ATTEMPTS + ["GET"]
    app.answers = [(status, {"x-request-id": "7"}, b"")] * ATTEMPTS
    with pytest.raises(StoreUnavailable, match=f"PUT http.*HTTP {status}, request id 7") as told:
        asyncio.run(put(store, f"{SCRATCH}b"))
    assert type(told.value) is StoreUnavailable
    assert app.answers == []


@pytest.mark.parametrize("verb", ["put", "read"])
def test_a_pause_that_the_server_asks_for_is_kept(
    gate: tuple[Gate, str], web: WebTarget, verb: str
) -> None:
    app, url = gate
    pauses = Pauses()
    store = through(url, web, pauses=pauses)
    asyncio.run(put(store, ".check/read", b"x"))
    in_20_seconds = format_datetime(datetime.fromtimestamp(NOW + 20, UTC), usegmt=True)
    app.answers = [
        (503, {"retry-after": "17"}, b""),
        (429, {"retry-after": in_20_seconds}, b""),
        (503, {"retry-after": "soon"}, b""),
    ]
    asyncio.run(put(store, SCRATCH) if verb == "put" else read(store, ".check/read"))
    assert pauses[:2] == [17, 20]
    assert pauses[2] < 10


def test_a_server_that_asks_for_too_long_a_pause_is_given_up_for_now(
    gate: tuple[Gate, str], web: WebTarget
) -> None:
    app, url = gate
    pauses = Pauses()
    app.answers = [(503, {"retry-after": "3600"}, b"")]
    with pytest.raises(StoreUnavailable, match="503"):
        asyncio.run(put(through(url, web, pauses=pauses), SCRATCH))
    assert pauses == []


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
    gate: tuple[Gate, str],
    web: WebTarget,
    status: int,
    headers: dict[str, str],
    error: type[StoreError],
    words: str,
) -> None:
    app, url = gate
    app.answers = [(status, headers, b"very-secret")]
    with pytest.raises(error, match=words) as told:
        asyncio.run(put(through(url, web), SCRATCH))
    assert not told.value.transient
    assert len(app.requests) == 1
    for secret in (TOKEN, "very-secret", "u:p", "sig"):
        assert secret not in str(told.value)


def test_a_credential_is_never_sent_on_by_a_redirect(
    gate: tuple[Gate, str], web: WebTarget
) -> None:
    app, url = gate
    store = through(url, web)
    for call in (lambda: put(store, SCRATCH), lambda: store.stat("a"), lambda: read(store, "a")):
        app.answers, app.requests = [(307, {"location": f"{url}/elsewhere"}, b"")], []
        with pytest.raises(StoreError, match=r"redirects to 127\.0\.0\.1"):
            asyncio.run(call())
        assert len(app.requests) == 1


def test_other_bytes_than_were_sent_are_taken_away_again(
    gate: tuple[Gate, str], web: WebTarget
) -> None:
    app, url = gate
    app.answers = [None, (200, {}, b"abd")]
    store = through(url, web)
    with pytest.raises(StoreUnavailable, match=r"'\.check/a' was stored with other bytes"):
        asyncio.run(put(store, SCRATCH, b"abc"))
    assert asyncio.run(store.stat(SCRATCH)) is None


def test_an_object_that_is_not_there_after_a_success_is_no_success(
    gate: tuple[Gate, str], web: WebTarget
) -> None:
    app, url = gate
    app.answers = [(201, {}, b"")]
    with pytest.raises(StoreUnavailable, match="was written and is not there"):
        asyncio.run(put(through(url, web), SCRATCH))


def test_a_lost_answer_to_our_own_write_is_told_from_another_writers_object(
    proxy: FaultProxy, web: WebTarget
) -> None:
    store = through(proxy.url, web)
    proxy.cut_answer_at, proxy.times = 0, 1
    assert asyncio.run(put(store, ".check/ours", b"same")).size == 4
    assert proxy.hits == 1
    asyncio.run(put(store, ".check/theirs", b"other"))
    proxy.times = 1
    with pytest.raises(AlreadyExists, match="theirs"):
        asyncio.run(put(store, ".check/theirs", b"same"))


def test_a_server_that_does_not_tell_sizes_is_named(gate: tuple[Gate, str], web: WebTarget) -> None:
    app, url = gate
    app.dropped = {"content-length"}
    store = through(url, web)
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
