"""Other bytes than were sent: refused by the store, or found and taken away."""

import asyncio
import json

import pytest

from export_pipeline.errors import StoreUnavailable
from export_pipeline.storage.gcs import writing
from export_pipeline.storage.hashing import Digest
from export_pipeline.storage.parts import Part
from export_pipeline_tests.servers.faults import Gate
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.storage.conformance import chunked, keys, put
from export_pipeline_tests.storage.gcs.faults import DATA, through


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
    async def fed_other_bytes(digest: Digest, _: object) -> None:
        digest.update(b"other bytes")

    async def of_other_bytes(_: Part) -> bytes:
        return b"of other bytes.."

    monkeypatch.setattr(writing, "feed", fed_other_bytes)
    monkeypatch.setattr(writing, "md5_of", of_other_bytes)
    store = through(gcs.url, gcs, bucket)
    with pytest.raises(StoreUnavailable, match="doesn't match calculated MD5"):
        asyncio.run(store.put("large", chunked(DATA[:size])))
    assert asyncio.run(keys(store)) == []
