"""Resumable uploads: gone on with where they were cut, and made for one object alone."""

import asyncio

import pytest

from export_pipeline.errors import AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.retries import ATTEMPTS
from export_pipeline_tests.servers.faults import Fate, Gate
from export_pipeline_tests.servers.gcs_uploads import GRANULE_BYTES
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.storage.conformance import chunked, keys, read
from export_pipeline_tests.storage.fault_conformance import LARGE
from export_pipeline_tests.storage.gcs.faults import (
    PART_BYTES,
    Cutting,
    GcsUpstream,
    during,
    refused,
)

SENT = [Fate.PASSED] * 3
"""The begin of an upload and all parts but its last."""


def test_an_upload_that_is_cut_again_and_again_gets_through_as_long_as_each_try_brings_it_on(
    upstream: GcsUpstream,
) -> None:
    cutting = Cutting(upstream.server.gate, 600_000, times=ATTEMPTS + 2)
    with running(cutting) as url:
        asyncio.run(upstream.store(url).put("large", chunked(LARGE)))
    assert cutting.times == 0
    assert asyncio.run(read(upstream.store(upstream.url), "large")) == LARGE


def test_after_a_cut_the_store_is_asked_how_far_it_got_and_sent_only_the_rest(
    upstream: GcsUpstream, ranges: list[str]
) -> None:
    with running(Cutting(upstream.server.gate, 1_500_000)) as url:
        asyncio.run(upstream.store(url).put("large", chunked(LARGE)))
    kept, end, total = 1_500_000 // GRANULE_BYTES * GRANULE_BYTES, PART_BYTES - 1, len(LARGE)
    assert ranges == [
        f"bytes 0-{end}/*",
        "bytes */*",
        f"bytes {kept}-{end}/*",
        f"bytes {PART_BYTES}-{2 * PART_BYTES - 1}/*",
        f"bytes {2 * PART_BYTES}-{total - 1}/{total}",
    ]
    assert asyncio.run(read(upstream.store(upstream.url), "large")) == LARGE


def test_an_upload_that_the_store_dropped_is_transient(
    upstream: GcsUpstream, ranges: list[str]
) -> None:
    store = upstream.store(upstream.url)
    dropped = during(ranges, upstream.server.gate.sessions.forget)
    with pytest.raises(StoreUnavailable, match="no such upload any more"):
        asyncio.run(store.put("large", dropped))
    assert asyncio.run(keys(store)) == []


def test_an_upload_that_the_store_dropped_at_its_end_is_transient(
    upstream: GcsUpstream, gate: Gate
) -> None:
    store = upstream.store(gate.url)
    gate.answers = [*SENT, refused(410, "gone")]
    with pytest.raises(StoreUnavailable, match="'p/large' was sent and is not there"):
        asyncio.run(store.put("large", chunked(LARGE)))
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize("lost", [False, True])
def test_an_object_that_appears_during_an_upload_is_left_as_it_is(
    upstream: GcsUpstream, gate: Gate, ranges: list[str], lost: bool
) -> None:
    store = upstream.store(gate.url)
    gate.answers = [*SENT, refused(503, "backendError")] if lost else []
    overtaken = during(ranges, lambda: upstream.write("large", b"theirs"))
    with pytest.raises(AlreadyExists, match="large"):
        asyncio.run(store.put("large", overtaken))
    assert asyncio.run(read(store, "large")) == b"theirs"


def test_an_empty_object_of_another_writer_is_never_taken_for_an_upload_that_just_began(
    upstream: GcsUpstream, gate: Gate
) -> None:
    upstream.write("large", b"")
    gate.answers = [refused(503, "backendError")]
    with pytest.raises(AlreadyExists, match="large"):
        asyncio.run(upstream.store(gate.url).put("large", chunked(LARGE)))


def test_the_right_to_write_an_upload_is_in_no_error(upstream: GcsUpstream, gate: Gate) -> None:
    """The service's request id of a session is the secret part of its URL."""
    gate.answers = [Fate.PASSED, refused(400, "invalid", x_guploader_uploadid="secret-id")]
    with pytest.raises(StoreError, match=r"resumable upload of 'p/large'.*invalid 400") as told:
        asyncio.run(upstream.store(gate.url).put("large", chunked(LARGE)))
    assert "secret-id" not in str(told.value)
    assert "upload_id" not in str(told.value)


def test_an_upload_goes_on_at_the_endpoint_that_was_set_and_nowhere_else(
    upstream: GcsUpstream, gate: Gate
) -> None:
    gate.answers = [
        (200, {"location": "https://elsewhere.example/steal?upload_id=1"}, b""),
        refused(400, "invalid"),
    ]
    with pytest.raises(StoreError, match="invalid 400"):
        asyncio.run(upstream.store(gate.url).put("large", chunked(LARGE)))
    assert gate.requests[1] == "PUT /steal"
