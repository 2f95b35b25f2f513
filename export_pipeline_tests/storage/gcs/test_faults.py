"""Cuts, resets, stalls and a busy server: no partial object, and the right kind of error."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from starlette.types import Message, Receive, Scope, Send

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from export_pipeline.storage.gcs import session, writing
from export_pipeline.storage.gcs.client import ATTEMPTS, LONGEST_WAIT_SECONDS
from export_pipeline.storage.gcs.open import open_store
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline.storage.http import Http
from export_pipeline.storage.parts import Digest, Part
from export_pipeline.storage.store import pieces
from export_pipeline_tests.servers.faults import FaultProxy, Gate, running_fault_proxy
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.servers.gcs_gate import GcsGate
from export_pipeline_tests.servers.gcs_uploads import GRANULE_BYTES
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.storage.conformance import keys, put, read

PART_BYTES = 5 * 1024**2
DATA = os.urandom(PART_BYTES * 5 // 2)
Scripted = tuple[int, dict[str, str], bytes]


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


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


def through(
    url: str,
    gcs: Gcs,
    bucket: str,
    stall_seconds: float = 60.0,
    sleep: Callable[[float], Awaitable[None]] = at_once,
) -> GcsStore:
    variables = gcs.variables() | {"EXPORT_GCS_ENDPOINT": url}
    parts = urlsplit(f"gs://{bucket}/p")
    return open_store(parts, variables, http=Http(stall_seconds), sleep=sleep)


def chunked(data: bytes) -> AsyncIterator[bytes]:
    return pieces([data[start : start + 65_536] for start in range(0, len(data), 65_536)])


async def during(ranges: list[str], act: Callable[[], None]) -> AsyncIterator[bytes]:
    """The data, and an act of somebody else's while its first parts are on their way."""
    yield DATA[: PART_BYTES * 2 + 1]
    while not ranges:  # noqa: ASYNC110  what it waits for happens in another thread
        await asyncio.sleep(0.01)
    act()
    yield DATA[PART_BYTES * 2 + 1 :]


def refused(status: int, reason: str, message: str = "Told.", **headers: str) -> Scripted:
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return status, named, json.dumps({"error": error}).encode()


@dataclass
class Cutting:
    """Before the gate: of the first part only so many bytes arrive, and nobody says how many."""

    gate: GcsGate
    left: int
    is_over: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if self.is_over or scope.get("method") != "PUT":
            await self.gate(scope, receive, send)
            return

        async def cut() -> Message:
            if not self.left:
                return {"type": "http.disconnect"}
            message = await receive()
            body = message["body"][: self.left]
            self.left -= len(body)
            return {**message, "body": body}

        await self.gate(scope, cut, send)
        self.is_over = True
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})


FAULTS = [
    {"cut_upload_at": 1},
    {"cut_upload_at": 1_000_000},
    {"cut_answer_at": 0},
    {"reset": True},
    {"stall_upload_at": 200_000},
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [2_000_000, len(DATA)])
@pytest.mark.usefixtures("small_parts")
def test_a_write_survives_two_faults(
    proxy: FaultProxy, gcs: Gcs, bucket: str, fault: dict[str, int], size: int
) -> None:
    store = through(proxy.url, gcs, bucket, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 2
    stored = asyncio.run(store.put("large", chunked(DATA[:size])))
    assert proxy.hits == 2
    assert stored.size == size
    assert asyncio.run(read(store, "large")) == DATA[:size]


@pytest.mark.parametrize("fault", [*FAULTS[:1], {"cut_upload_at": 200_000}, *FAULTS[2:]])
@pytest.mark.parametrize("size", [2_000_000, len(DATA)])
@pytest.mark.usefixtures("small_parts")
def test_a_write_that_never_gets_through_is_transient_and_leaves_nothing_half(
    proxy: FaultProxy, gcs: Gcs, bucket: str, fault: dict[str, int], size: int
) -> None:
    store = through(proxy.url, gcs, bucket, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 1_000
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+"):
        asyncio.run(store.put("large", chunked(DATA[:size])))
    proxy.times = 0
    for key in asyncio.run(keys(store)):
        assert asyncio.run(read(store, key)) == DATA[:size]


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_is_cut_again_and_again_gets_through_as_long_as_each_try_brings_it_on(
    proxy: FaultProxy, gcs: Gcs, bucket: str
) -> None:
    store = through(proxy.url, gcs, bucket)
    proxy.cut_upload_at, proxy.times = 1_500_000, 1_000
    asyncio.run(store.put("large", chunked(DATA)))
    assert proxy.hits > ATTEMPTS
    proxy.times = 0
    assert asyncio.run(read(store, "large")) == DATA


@pytest.mark.usefixtures("small_parts")
def test_after_a_cut_the_store_is_asked_how_far_it_got_and_sent_only_the_rest(
    gcs: Gcs, bucket: str, ranges: list[str]
) -> None:
    with running(Cutting(gcs.gate, 3_000_000)) as url:
        asyncio.run(through(url, gcs, bucket).put("large", chunked(DATA)))
    kept, end, total = 3_000_000 // GRANULE_BYTES * GRANULE_BYTES, PART_BYTES - 1, len(DATA)
    assert ranges == [
        f"bytes 0-{end}/*",
        "bytes */*",
        f"bytes {kept}-{end}/*",
        f"bytes {PART_BYTES}-{2 * PART_BYTES - 1}/*",
        f"bytes {2 * PART_BYTES}-{total - 1}/{total}",
    ]
    assert asyncio.run(read(through(gcs.url, gcs, bucket), "large")) == DATA


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_the_store_dropped_is_transient(
    gcs: Gcs, bucket: str, ranges: list[str]
) -> None:
    store = through(gcs.url, gcs, bucket)
    dropped = during(ranges, gcs.gate.sessions.forget)
    with pytest.raises(StoreUnavailable, match="no such upload any more"):
        asyncio.run(store.put("large", dropped))
    assert asyncio.run(keys(store)) == []


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_the_store_dropped_at_its_end_is_transient(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    app, url = gate
    store = through(url, gcs, bucket)
    app.answers = [None, None, None, refused(410, "gone")]
    with pytest.raises(StoreUnavailable, match="'p/large' was sent and is not there"):
        asyncio.run(store.put("large", chunked(DATA)))
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize("offset", [0, 1_234_567])
def test_a_read_goes_on_where_it_was_cut(
    proxy: FaultProxy, gcs: Gcs, bucket: str, offset: int
) -> None:
    store = through(proxy.url, gcs, bucket)
    asyncio.run(store.put("large", chunked(DATA)))
    proxy.cut_answer_at, proxy.times = 3_000_000, 3
    assert asyncio.run(read(store, "large", offset)) == DATA[offset:]
    assert proxy.hits == 3


def test_a_read_never_joins_two_objects(proxy: FaultProxy, gcs: Gcs, bucket: str) -> None:
    store = through(proxy.url, gcs, bucket)
    asyncio.run(store.put("large", chunked(DATA)))

    async def scenario() -> None:
        proxy.cut_answer_at, proxy.times = 8_000_000, 1
        reading = store.open("large")
        await anext(reading)
        gcs.write(bucket, "p/large", DATA[::-1])
        with pytest.raises(StoreError, match=r"'p/large'.*replaced or deleted while it was read"):
            async for _ in reading:
                pass

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (408, "requestTimeout"),
        (429, "rateLimitExceeded"),
        (403, "userRateLimitExceeded"),
        (500, "backendError"),
        (503, "backendError"),
    ],
)
def test_a_busy_server_is_asked_again(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str, status: int, reason: str
) -> None:
    app, url = gate
    store = through(url, gcs, bucket)
    app.answers = [refused(status, reason)] * (ATTEMPTS - 1)
    asyncio.run(put(store, "a", b"x"))
    assert len(app.requests) == ATTEMPTS
    app.answers = [refused(status, reason)] * ATTEMPTS
    with pytest.raises(StoreUnavailable, match=rf"'p/b'.*{reason} {status}: Told\."):
        asyncio.run(put(store, "b"))
    assert asyncio.run(keys(store)) == ["a"]


def test_a_store_that_says_how_long_to_wait_is_left_alone_for_so_long(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    app, url = gate
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    store = through(url, gcs, bucket, sleep=sleep)
    app.answers = [
        refused(429, "rateLimitExceeded", retry_after="7"),
        refused(503, "backendError", retry_after="86400"),
        refused(503, "backendError", retry_after="Sun, 22 Nov 2026 00:00:00 GMT"),
    ]
    asyncio.run(put(store, "a"))
    assert slept[0] == 7.0
    assert slept[1] == LONGEST_WAIT_SECONDS
    assert slept[2] < 7.0


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (refused(401, "authError"), AccessDenied, "access token is not accepted"),
        (refused(403, "forbidden", "sa@p lacks it"), AccessDenied, r"grant storage.*sa@p lacks"),
        (refused(403, "retentionPolicyNotMet"), StoreError, "retentionPolicyNotMet 403: Told"),
        (refused(403, "quotaExceeded"), StoreFull, "a quota is used up"),
        ((507, {}, b""), StoreFull, "a quota is used up"),
        ((302, {"location": "https://elsewhere"}, b""), StoreError, "EXPORT_GCS_ENDPOINT"),
        (
            refused(400, "invalid", x_guploader_uploadid="id-7"),
            StoreError,
            r"invalid 400: Told.*request id id-7",
        ),
        ((400, {}, b"[1]"), StoreError, "HTTP 400: no reason given"),
    ],
)
def test_an_error_that_will_not_go_away_is_told_in_words_after_one_try(
    gate: tuple[Gate, str],
    gcs: Gcs,
    bucket: str,
    answer: Scripted,
    error: type[StoreError],
    words: str,
) -> None:
    app, url = gate
    store = through(url, gcs, bucket)
    for call in (lambda: put(store, "a"), lambda: read(store, "a"), lambda: keys(store)):
        app.answers, app.requests = [answer], []
        with pytest.raises(error, match=words) as told:
            asyncio.run(call())
        assert not told.value.transient
        assert len(app.requests) == 1


@pytest.mark.usefixtures("small_parts")
def test_the_right_to_write_an_upload_is_in_no_error(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    """The service's request id of a session is the secret part of its URL."""
    app, url = gate
    app.answers = [None, refused(400, "invalid", x_guploader_uploadid="secret-id")]
    with pytest.raises(StoreError, match=r"resumable upload of 'p/large'.*invalid 400") as told:
        asyncio.run(through(url, gcs, bucket).put("large", chunked(DATA)))
    assert "secret-id" not in str(told.value)
    assert "upload_id" not in str(told.value)


@pytest.mark.usefixtures("small_parts")
def test_an_upload_goes_on_at_the_endpoint_that_was_set_and_nowhere_else(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    app, url = gate
    app.answers = [
        (200, {"location": "https://elsewhere.example/steal?upload_id=1"}, b""),
        refused(400, "invalid"),
    ]
    with pytest.raises(StoreError, match="invalid 400"):
        asyncio.run(through(url, gcs, bucket).put("large", chunked(DATA)))
    assert app.requests[1] == "PUT /steal"


def test_other_bytes_than_were_sent_are_taken_away_again(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    app, url = gate
    store = through(url, gcs, bucket)
    gcs.write(bucket, "p/a", b"abd")
    kept = gcs.describe(bucket, "p/a")
    app.answers = [(200, {}, json.dumps(kept).encode())]
    with pytest.raises(StoreUnavailable, match="'p/a' was stored with other bytes"):
        asyncio.run(put(store, "a", b"abc"))
    assert asyncio.run(keys(store)) == []


@pytest.mark.usefixtures("small_parts")
def test_other_bytes_than_were_sent_in_parts_are_taken_away_again(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    app, url = gate
    store = through(url, gcs, bucket)
    gcs.write(bucket, "p/other", DATA[::-1])
    kept = gcs.describe(bucket, "p/other") | {"name": "p/large"}
    app.answers = [None, None, None, (200, {}, json.dumps(kept).encode())]
    with pytest.raises(StoreUnavailable, match="'p/large' was stored with other bytes"):
        asyncio.run(store.put("large", chunked(DATA)))
    assert asyncio.run(keys(store)) == ["other"]


@pytest.mark.parametrize("size", [2_000_000, len(DATA)])
@pytest.mark.usefixtures("small_parts")
def test_bytes_that_changed_on_their_way_are_refused_by_the_store(
    gcs: Gcs, bucket: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fed_other_bytes(digest: Digest, _: Part) -> None:
        digest.update(b"other bytes")

    async def of_other_bytes(_: Part) -> bytes:
        return b"of other bytes.."

    monkeypatch.setattr(writing, "feed", fed_other_bytes)
    monkeypatch.setattr(writing, "md5_of", of_other_bytes)
    store = through(gcs.url, gcs, bucket)
    with pytest.raises(StoreUnavailable, match="doesn't match calculated MD5"):
        asyncio.run(store.put("large", chunked(DATA[:size])))
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize("size", [4, len(DATA)])
@pytest.mark.usefixtures("small_parts")
def test_a_lost_answer_to_our_own_write_is_told_from_another_writers_object(
    proxy: FaultProxy, gcs: Gcs, bucket: str, size: int
) -> None:
    store = through(proxy.url, gcs, bucket)
    asyncio.run(keys(store))
    proxy.cut_answer_at, proxy.times = 0, 1
    assert asyncio.run(store.put("ours", chunked(DATA[:size]))).size == size
    gcs.write(bucket, "p/theirs", b"other")
    proxy.times = 1
    with pytest.raises(AlreadyExists, match="theirs"):
        asyncio.run(store.put("theirs", chunked(DATA[:size])))
    assert asyncio.run(read(store, "theirs")) == b"other"


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.usefixtures("small_parts")
def test_an_object_that_appears_during_an_upload_is_left_as_it_is(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str, ranges: list[str], lost: bool
) -> None:
    app, url = gate
    store = through(url, gcs, bucket)
    app.answers = [None, None, None, refused(503, "backendError")] if lost else []
    overtaken = during(ranges, lambda: gcs.write(bucket, "p/large", b"theirs"))
    with pytest.raises(AlreadyExists, match="large"):
        asyncio.run(store.put("large", overtaken))
    assert asyncio.run(read(store, "large")) == b"theirs"


@pytest.mark.usefixtures("small_parts")
def test_an_empty_object_of_another_writer_is_never_taken_for_an_upload_that_just_began(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    app, url = gate
    gcs.write(bucket, "p/large", b"")
    app.answers = [refused(503, "backendError")]
    with pytest.raises(AlreadyExists, match="large"):
        asyncio.run(through(url, gcs, bucket).put("large", chunked(DATA)))


def test_a_success_that_makes_no_sense_is_an_error_in_words(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    app, url = gate
    store = through(url, gcs, bucket)
    for body in (b"<html>a proxy</html>", b"[]", b'{"name": 1}'):
        for call in (
            lambda: put(store, "a"),
            lambda: store.stat("a"),
            lambda: keys(store),
            lambda: store.copy("a", "b"),
        ):
            app.answers = [(200, {}, body)]
            with pytest.raises(StoreError, match="cannot be read"):
                asyncio.run(call())


def test_a_copy_of_several_calls_is_followed_to_its_end(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    app, url = gate
    store = through(url, gcs, bucket)
    asyncio.run(put(store, "source", b"bytes"))
    app.answers = [(200, {}, b'{"done": false, "rewriteToken": "a/+b"}')]
    assert asyncio.run(store.copy("source", "target")).size == 5
    assert asyncio.run(read(store, "target")) == b"bytes"


def test_a_lost_answer_to_our_own_copy_is_told_from_another_writers_object(
    proxy: FaultProxy, gcs: Gcs, bucket: str
) -> None:
    store = through(proxy.url, gcs, bucket)
    asyncio.run(put(store, "source", b"same"))
    gcs.write(bucket, "p/theirs", b"other")
    proxy.cut_answer_at, proxy.times = 0, 1
    assert asyncio.run(store.copy("source", "ours")).size == 4
    proxy.times = 1
    with pytest.raises(AlreadyExists, match="theirs"):
        asyncio.run(store.copy("source", "theirs"))
