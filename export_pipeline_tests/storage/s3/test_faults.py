"""Cuts, resets, stalls and a busy server: no partial object, and the right kind of error."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
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
from export_pipeline.storage.retries import ATTEMPTS
from export_pipeline.storage.s3 import multipart
from export_pipeline.storage.s3.open import open_store
from export_pipeline.storage.s3.store import S3Store
from export_pipeline_tests.servers.faults import (
    FaultProxy,
    Gate,
    running_fault_proxy,
)
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.servers.seaweedfs import SeaweedFS
from export_pipeline_tests.storage.conformance import chunked, keys, put, read

PART_BYTES = 5 * 1024**2
DATA = os.urandom(PART_BYTES * 3)
BUSY = b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>"


@pytest.fixture
def proxy(seaweedfs: SeaweedFS) -> Iterator[FaultProxy]:
    with running_fault_proxy(seaweedfs.url) as proxy:
        yield proxy


@pytest.fixture
def gate(seaweedfs: SeaweedFS) -> Iterator[tuple[Gate, str]]:
    gate = Gate(seaweedfs.url)
    with running(gate) as url:
        yield gate, url


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "PART_BYTES", PART_BYTES)


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


def through(
    url: str,
    seaweedfs: SeaweedFS,
    bucket: str,
    stall_seconds: float = 60.0,
    sleep: Callable[[float], Awaitable[None]] = at_once,
) -> S3Store:
    variables = seaweedfs.variables() | {"EXPORT_S3_ENDPOINT": url}
    parts = urlsplit(f"s3://{bucket}/p")
    return open_store(parts, variables, http=Http(stall_seconds), sleep=sleep)


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
    proxy: FaultProxy, seaweedfs: SeaweedFS, bucket: str, fault: dict[str, int], size: int
) -> None:
    store = through(proxy.url, seaweedfs, bucket, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 2
    stored = asyncio.run(store.put("large", chunked(DATA[:size])))
    assert proxy.hits == 2
    assert stored.size == size
    assert asyncio.run(read(store, "large")) == DATA[:size]
    # Where the answer that names an upload was lost, the upload is left for a sweep.
    asyncio.run(store.sweep(0, now=time.time() + 1))
    assert uploads(seaweedfs, bucket) == 0


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [2_000_000, len(DATA)])
@pytest.mark.usefixtures("small_parts")
def test_a_write_that_never_gets_through_is_transient_and_leaves_nothing_half(
    proxy: FaultProxy, seaweedfs: SeaweedFS, bucket: str, fault: dict[str, int], size: int
) -> None:
    store = through(proxy.url, seaweedfs, bucket, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 1_000
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+"):
        asyncio.run(store.put("large", chunked(DATA[:size])))
    proxy.times = 0
    for key in asyncio.run(keys(store)):
        assert asyncio.run(read(store, key)) == DATA[:size]


@pytest.mark.parametrize("offset", [0, 1_234_567])
def test_a_read_goes_on_where_it_was_cut(
    proxy: FaultProxy, seaweedfs: SeaweedFS, bucket: str, offset: int
) -> None:
    store = through(proxy.url, seaweedfs, bucket)
    asyncio.run(store.put("large", chunked(DATA)))
    proxy.cut_answer_at, proxy.times = 3_000_000, 3
    assert asyncio.run(read(store, "large", offset)) == DATA[offset:]
    assert proxy.hits == 3


def test_a_read_never_joins_two_objects(
    proxy: FaultProxy, seaweedfs: SeaweedFS, bucket: str
) -> None:
    store = through(proxy.url, seaweedfs, bucket)
    asyncio.run(store.put("large", chunked(DATA)))

    async def scenario() -> None:
        proxy.cut_answer_at, proxy.times = 8_000_000, 1
        reading = store.open("large")
        await anext(reading)
        seaweedfs.client.put_object(Bucket=bucket, Key="p/large", Body=DATA[::-1])
        with pytest.raises(StoreError, match="'p/large' was replaced"):
            async for _ in reading:
                pass

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(
    gate: tuple[Gate, str], seaweedfs: SeaweedFS, bucket: str, status: int
) -> None:
    app, url = gate
    store = through(url, seaweedfs, bucket)
    app.answers = [(status, {}, BUSY)] * (ATTEMPTS - 1)
    asyncio.run(put(store, "a", b"x"))
    assert len(app.requests) == ATTEMPTS
    app.answers = [(status, {}, BUSY)] * ATTEMPTS
    with pytest.raises(StoreUnavailable, match=r"'p/b'.*SlowDown \d+: Reduce your rate\."):
        asyncio.run(put(store, "b"))
    assert asyncio.run(keys(store)) == ["a"]


def test_the_time_that_a_busy_server_asks_for_is_given(
    gate: tuple[Gate, str], seaweedfs: SeaweedFS, bucket: str
) -> None:
    app, url = gate
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    app.answers = [(503, {"retry-after": "20"}, BUSY)]
    asyncio.run(put(through(url, seaweedfs, bucket, sleep=sleep), "a"))
    assert slept == [20.0]


@pytest.mark.parametrize(
    ("status", "headers", "code", "error", "words"),
    [
        (400, {}, "ExpiredToken", AccessDenied, "session token has expired"),
        (403, {}, "RequestTimeTooSkewed", AccessDenied, "clock"),
        (301, {"x-amz-bucket-region": "eu-west-1"}, "", StoreError, "EXPORT_S3_REGION=eu-west-1"),
        (400, {}, "AuthorizationHeaderMalformed", StoreError, "EXPORT_S3_REGION=eu-south-2"),
        (507, {}, "XMinioStorageFull", StoreFull, "no room left"),
        (403, {}, "QuotaExceeded", StoreFull, "no room left"),
        (400, {"x-amz-request-id": "7"}, "InvalidRequest", StoreError, "InvalidRequest 400.*id 7"),
    ],
)
def test_an_error_that_will_not_go_away_is_told_in_words_after_one_try(
    gate: tuple[Gate, str],
    seaweedfs: SeaweedFS,
    bucket: str,
    status: int,
    headers: dict[str, str],
    code: str,
    error: type[StoreError],
    words: str,
) -> None:
    app, url = gate
    store = through(url, seaweedfs, bucket)
    body = f"<Error><Code>{code}</Code><Region>eu-south-2</Region></Error>".encode()
    for call in (lambda: put(store, "a"), lambda: read(store, "a"), lambda: keys(store)):
        app.answers, app.requests = [(status, headers, body if code else b"")], []
        with pytest.raises(error, match=words) as told:
            asyncio.run(call())
        assert not told.value.transient
        assert len(app.requests) == 1


def test_a_reason_that_a_head_cannot_give_is_asked_for(
    gate: tuple[Gate, str], seaweedfs: SeaweedFS, bucket: str
) -> None:
    app, url = gate
    store = through(url, seaweedfs, bucket)
    app.answers = [(400, {}, b""), (400, {}, b"<Error><Code>ExpiredToken</Code></Error>")]
    with pytest.raises(AccessDenied, match="session token has expired"):
        asyncio.run(store.stat("a"))


@pytest.mark.parametrize("size", [20_000, len(DATA)])
def test_bytes_that_change_on_their_way_are_refused_by_the_store_and_sent_again(
    proxy: FaultProxy, seaweedfs: SeaweedFS, bucket: str, small_parts: None, size: int
) -> None:
    store = through(proxy.url, seaweedfs, bucket)
    proxy.change_upload_at, proxy.times = 10_000, 1
    asyncio.run(store.put("a", chunked(DATA[:size])))
    assert proxy.hits == 1
    assert asyncio.run(read(store, "a")) == DATA[:size]


def test_a_store_that_checks_no_sha256_is_read_back(
    gate: tuple[Gate, str], seaweedfs: SeaweedFS, bucket: str, small_parts: None
) -> None:
    app, url = gate
    app.dropped = {"x-amz-checksum-sha256"}
    store = through(url, seaweedfs, bucket)
    asyncio.run(put(store, "small", b"abc"))
    asyncio.run(store.put("large", chunked(DATA)))
    assert app.requests[-1] == f"GET /{bucket}/p/large"
    assert f"GET /{bucket}/p/small" in app.requests
    assert (asyncio.run(store.stat("small")).checksum or "").startswith("etag:")


def test_other_bytes_than_were_sent_are_taken_away_again(
    gate: tuple[Gate, str], seaweedfs: SeaweedFS, bucket: str
) -> None:
    app, url = gate
    app.dropped = {"x-amz-checksum-sha256"}
    app.answers = [None, (200, {}, b"abd")]
    store = through(url, seaweedfs, bucket)
    with pytest.raises(StoreUnavailable, match="'a' was stored with other bytes"):
        asyncio.run(put(store, "a", b"abc"))
    assert asyncio.run(keys(store)) == []


def test_a_lost_answer_to_our_own_write_is_told_from_another_writers_object(
    proxy: FaultProxy, seaweedfs: SeaweedFS, bucket: str
) -> None:
    store = through(proxy.url, seaweedfs, bucket)
    proxy.cut_answer_at, proxy.times = 0, 1
    assert asyncio.run(put(store, "ours", b"same")).size == 4
    seaweedfs.client.put_object(Bucket=bucket, Key="p/theirs", Body=b"other")
    proxy.times = 1
    with pytest.raises(AlreadyExists, match="theirs"):
        asyncio.run(put(store, "theirs", b"same"))


def test_a_lost_answer_to_a_copy_is_told_from_another_writers_object(
    gate: tuple[Gate, str], seaweedfs: SeaweedFS, bucket: str
) -> None:
    app, url = gate
    store = through(url, seaweedfs, bucket)

    async def scenario() -> None:
        await put(store, "source", b"same")
        # Heard are a HEAD, the upload's begin and its part; then an answer is lost: the store made
        # the object in a first try, and what is heard of is the second.
        await store.copy("source", "ours")
        app.answers = [None, None, None, (500, {}, b"")]
        assert (await store.copy("source", "ours")).size == 4
        for theirs in (b"else", b"longer"):
            await put(store, f"theirs {len(theirs)}", theirs)
            app.answers = [None, None, None, (500, {}, b"")]
            with pytest.raises(AlreadyExists, match="theirs"):
                await store.copy("source", f"theirs {len(theirs)}")
            assert await read(store, f"theirs {len(theirs)}") == theirs

    asyncio.run(scenario())
    assert asyncio.run(read(store, "ours")) == b"same"
    assert uploads(seaweedfs, bucket) == 1  # that of the copy whose first try made the object


def test_a_copy_that_was_completed_and_is_gone_again_is_transient(
    gate: tuple[Gate, str], seaweedfs: SeaweedFS, bucket: str
) -> None:
    app, url = gate
    store = through(url, seaweedfs, bucket)
    asyncio.run(put(store, "source", b"same"))
    gone = (404, {}, b"<Error><Code>NoSuchUpload</Code></Error>")
    app.answers = [None, None, None, gone]
    with pytest.raises(StoreUnavailable, match="refused as taken and is not there"):
        asyncio.run(store.copy("source", "target"))


def test_a_success_that_holds_an_error_is_an_error(
    gate: tuple[Gate, str], seaweedfs: SeaweedFS, bucket: str, small_parts: None
) -> None:
    """CompleteMultipartUpload may answer 200 and fail while the body is still coming."""
    app, url = gate
    store = through(url, seaweedfs, bucket)
    failed = (200, {}, b"<Error><Code>InternalError</Code><Message>Again.</Message></Error>")
    app.answers = [None] * 4 + [failed]
    assert asyncio.run(store.put("large", chunked(DATA))).size == len(DATA)
    app.answers = [None] * 4 + [failed] * ATTEMPTS
    with pytest.raises(StoreUnavailable, match="InternalError 200"):
        asyncio.run(store.put("never", chunked(DATA)))
    assert asyncio.run(keys(store)) == ["large"]
    assert uploads(seaweedfs, bucket) == 0


def test_a_credential_is_never_sent_on_by_a_redirect(
    gate: tuple[Gate, str], seaweedfs: SeaweedFS, bucket: str
) -> None:
    app, url = gate
    app.answers = [(307, {"location": f"{url}/elsewhere"}, b"")]
    with pytest.raises(StoreError, match="not in region"):
        asyncio.run(put(through(url, seaweedfs, bucket), "a"))
    assert app.requests == [f"PUT /{bucket}/p/a"]


def uploads(seaweedfs: SeaweedFS, bucket: str) -> int:
    return len(seaweedfs.client.list_multipart_uploads(Bucket=bucket).get("Uploads", []))
