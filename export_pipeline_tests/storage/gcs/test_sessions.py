"""Resumable uploads: gone on with where they were cut, and made for one object alone."""

import asyncio

import pytest

from export_pipeline.errors import AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.retries import ATTEMPTS
from export_pipeline_tests.servers.faults import FaultProxy, Gate
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.servers.gcs_uploads import GRANULE_BYTES
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.storage.conformance import chunked, keys, read
from export_pipeline_tests.storage.gcs.faults import (
    DATA,
    PART_BYTES,
    Cutting,
    during,
    refused,
    through,
)

pytestmark = pytest.mark.usefixtures("small_parts")


def test_an_upload_that_is_cut_again_and_again_gets_through_as_long_as_each_try_brings_it_on(
    proxy: FaultProxy, gcs: Gcs, bucket: str
) -> None:
    store = through(proxy.url, gcs, bucket)
    proxy.cut_upload_at, proxy.times = 1_500_000, 1_000
    asyncio.run(store.put("large", chunked(DATA)))
    assert proxy.hits > ATTEMPTS
    proxy.times = 0
    assert asyncio.run(read(store, "large")) == DATA


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


def test_an_upload_that_the_store_dropped_is_transient(
    gcs: Gcs, bucket: str, ranges: list[str]
) -> None:
    store = through(gcs.url, gcs, bucket)
    dropped = during(ranges, gcs.gate.sessions.forget)
    with pytest.raises(StoreUnavailable, match="no such upload any more"):
        asyncio.run(store.put("large", dropped))
    assert asyncio.run(keys(store)) == []


def test_an_upload_that_the_store_dropped_at_its_end_is_transient(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    app, url = gate
    store = through(url, gcs, bucket)
    app.answers = [None, None, None, refused(410, "gone")]
    with pytest.raises(StoreUnavailable, match="'p/large' was sent and is not there"):
        asyncio.run(store.put("large", chunked(DATA)))
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize("lost", [False, True])
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


def test_an_empty_object_of_another_writer_is_never_taken_for_an_upload_that_just_began(
    gate: tuple[Gate, str], gcs: Gcs, bucket: str
) -> None:
    app, url = gate
    gcs.write(bucket, "p/large", b"")
    app.answers = [refused(503, "backendError")]
    with pytest.raises(AlreadyExists, match="large"):
        asyncio.run(through(url, gcs, bucket).put("large", chunked(DATA)))


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
