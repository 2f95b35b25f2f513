"""Answers that were lost: our own write is told from another writer's."""

import asyncio

import pytest

from export_pipeline.errors import AlreadyExists
from export_pipeline_tests.servers.faults import FaultProxy
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.storage.conformance import chunked, keys, put, read
from export_pipeline_tests.storage.gcs.faults import DATA, through


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
