"""Each answer that no other try mends, in words after the first; and what only Google has."""

import asyncio

import pytest

from export_pipeline.errors import AccessDenied, StoreError, StoreFull
from export_pipeline_tests.servers.faults import Answer, Gate
from export_pipeline_tests.storage.conformance import keys, put, read
from export_pipeline_tests.storage.gcs.faults import GcsUpstream, refused
from export_pipeline_tests.storage.http_fault_conformance import require_told_after_one_try


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
    upstream: GcsUpstream,
    gate: Gate,
    answer: Answer,
    error: type[StoreError],
    words: str,
) -> None:
    store = upstream.store(gate.url)
    calls = [lambda: put(store, "a"), lambda: read(store, "a"), lambda: keys(store)]
    require_told_after_one_try(gate, calls, answer, error, words)


def test_a_success_that_makes_no_sense_is_an_error_in_words(
    upstream: GcsUpstream, gate: Gate
) -> None:
    store = upstream.store(gate.url)
    for body in (b"<html>a proxy</html>", b"[]", b'{"name": 1}'):
        for call in (
            lambda: put(store, "a"),
            lambda: store.stat("a"),
            lambda: keys(store),
            lambda: store.copy("a", "b"),
        ):
            gate.answers = [(200, {}, body)]
            with pytest.raises(StoreError, match="cannot be read"):
                asyncio.run(call())


def test_a_copy_of_several_calls_is_followed_to_its_end(upstream: GcsUpstream, gate: Gate) -> None:
    store = upstream.store(gate.url)
    asyncio.run(put(store, "source", b"bytes"))
    gate.answers = [(200, {}, b'{"done": false, "rewriteToken": "a/+b"}')]
    assert asyncio.run(store.copy("source", "target")).size == 5
    assert asyncio.run(read(store, "target")) == b"bytes"
