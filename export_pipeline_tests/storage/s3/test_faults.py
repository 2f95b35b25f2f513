"""What goes wrong on the way to S3 or there: no partial object, and the right kind of error."""

import asyncio

import pytest

from export_pipeline.errors import (
    AccessDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from export_pipeline.storage.retries import ATTEMPTS
from export_pipeline_tests.servers.faults import Answer, Fate, Gate
from export_pipeline_tests.storage.conformance import chunked, keys, put, read
from export_pipeline_tests.storage.fault_conformance import LARGE
from export_pipeline_tests.storage.http_fault_conformance import (
    HttpFaultConformance,
    misheard,
    require_told_after_one_try,
)
from export_pipeline_tests.storage.s3.faults import PART_BYTES, S3Upstream
from export_pipeline_tests.storage.upstream import Upstream

CHECKSUM = "x-amz-checksum-sha256"
EMPTY_SHA256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


class TestS3Faults(HttpFaultConformance):
    part_bytes = PART_BYTES
    busy = (503, {}, b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>")
    busy_words = r"'p/ab'.*SlowDown {status}: Reduce your rate\."
    redirected = "not in region"

    def stored(self, upstream: Upstream) -> Answer:
        return 200, {"etag": '"900150983cd24fb0d6963f7d28e17f72"'}, b""

    def misstated(self, answer: Answer) -> Answer:
        return misheard(answer, CHECKSUM, EMPTY_SHA256)


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
    upstream: S3Upstream,
    gate: Gate,
    status: int,
    headers: dict[str, str],
    code: str,
    error: type[StoreError],
    words: str,
) -> None:
    store = upstream.store(gate.url)
    body = f"<Error><Code>{code}</Code><Region>eu-south-2</Region></Error>".encode()
    calls = [lambda: put(store, "a"), lambda: read(store, "a"), lambda: keys(store)]
    answer = (status, headers, body if code else b"")
    require_told_after_one_try(gate, calls, answer, error, words)


def test_a_reason_that_a_head_cannot_give_is_asked_for(upstream: S3Upstream, gate: Gate) -> None:
    gate.answers = [(400, {}, b""), (400, {}, b"<Error><Code>ExpiredToken</Code></Error>")]
    with pytest.raises(AccessDenied, match="session token has expired"):
        asyncio.run(upstream.store(gate.url).stat("a"))


def test_a_store_that_checks_no_sha256_is_read_back(upstream: S3Upstream, gate: Gate) -> None:
    gate.dropped = {CHECKSUM}
    store = upstream.store(gate.url)
    asyncio.run(put(store, "small", b"abc"))
    asyncio.run(store.put("large", chunked(LARGE)))
    assert gate.requests[-1] == f"GET /{upstream.bucket}/p/large"
    assert f"GET /{upstream.bucket}/p/small" in gate.requests
    assert (asyncio.run(store.stat("small")).checksum or "").startswith("etag:")


def test_a_copy_that_was_completed_and_is_gone_again_is_transient(
    upstream: S3Upstream, gate: Gate
) -> None:
    store = upstream.store(gate.url)
    asyncio.run(put(store, "source", b"same"))
    gone = (404, {}, b"<Error><Code>NoSuchUpload</Code></Error>")
    gate.answers = [*[Fate.PASSED] * 3, gone]
    with pytest.raises(StoreUnavailable, match="refused as taken and is not there"):
        asyncio.run(store.copy("source", "target"))


def test_a_success_that_holds_an_error_is_an_error(upstream: S3Upstream, gate: Gate) -> None:
    """CompleteMultipartUpload may answer 200 and fail while the body is still coming."""
    store = upstream.store(gate.url)
    failed = (200, {}, b"<Error><Code>InternalError</Code><Message>Again.</Message></Error>")
    begun_and_sent = [Fate.PASSED] * 3
    gate.answers = [*begun_and_sent, failed]
    assert asyncio.run(store.put("large", chunked(LARGE))).size == len(LARGE)
    gate.answers = [*begun_and_sent, *[failed] * ATTEMPTS]
    with pytest.raises(StoreUnavailable, match="InternalError 200"):
        asyncio.run(store.put("never", chunked(LARGE)))
    assert asyncio.run(keys(store)) == ["large"]
    assert upstream.unfinished() == []
