"""Cuts, resets and stalls: no partial object, and a read goes on where it was cut."""

import asyncio

import pytest

from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline_tests.servers.faults import FaultProxy
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.storage.conformance import chunked, keys, read
from export_pipeline_tests.storage.gcs.faults import DATA, FAULTS, through


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
