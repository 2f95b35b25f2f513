"""Each answer that is no success: asked again, or told in words after one try."""

import asyncio

import pytest

from export_pipeline.errors import AccessDenied, StoreError, StoreFull, StoreUnavailable
from export_pipeline.storage.retries import ATTEMPTS, LONGEST_RETRY_AFTER_SECONDS
from export_pipeline_tests.servers.faults import Gate
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.storage.conformance import keys, put, read
from export_pipeline_tests.storage.gcs.faults import Scripted, refused, through


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
        refused(503, "backendError", retry_after="Sun, 22 Nov 2026 00:00:00 GMT"),
    ]
    asyncio.run(put(store, "a"))
    assert slept[0] == 7.0
    assert slept[1] < 7.0
    too_long = f"{LONGEST_RETRY_AFTER_SECONDS + 1:.0f}"
    app.answers = [refused(503, "backendError", retry_after=too_long)]
    with pytest.raises(StoreUnavailable, match="backendError 503"):
        asyncio.run(put(store, "b"))
    assert len(slept) == 2


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
