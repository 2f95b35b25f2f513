"""Cuts, resets and stalls: no partial blob, and a read goes on where it was cut."""

import asyncio
import os

import pytest

from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline_tests.servers.azurite import Azurite
from export_pipeline_tests.servers.faults import FaultProxy, Gate
from export_pipeline_tests.storage.azure.faults import BLOCK_BYTES, DATA, FAULTS, through
from export_pipeline_tests.storage.conformance import chunked, keys, read

pytestmark = pytest.mark.usefixtures("small_blocks")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [BLOCK_BYTES, len(DATA)])
def test_a_write_survives_two_faults(
    proxy: FaultProxy, azurite: Azurite, container: str, fault: dict[str, int], size: int
) -> None:
    store = through(proxy.url, azurite, container, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 2
    stored = asyncio.run(store.put("large", chunked(DATA[:size])))
    assert proxy.hits == 2
    assert stored.size == size
    assert asyncio.run(read(store, "large")) == DATA[:size]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [BLOCK_BYTES, len(DATA)])
def test_a_write_that_never_gets_through_is_transient_and_leaves_nothing_half(
    proxy: FaultProxy, azurite: Azurite, container: str, fault: dict[str, int], size: int
) -> None:
    store = through(proxy.url, azurite, container, 1.0 if "stall_upload_at" in fault else 60.0)
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
    proxy: FaultProxy, azurite: Azurite, container: str, offset: int
) -> None:
    store = through(proxy.url, azurite, container)
    asyncio.run(store.put("large", chunked(DATA)))
    proxy.cut_answer_at, proxy.times = 700_000, 3
    assert asyncio.run(read(store, "large", offset)) == DATA[offset:]
    assert proxy.hits == 3


def test_a_read_never_joins_two_blobs(
    gate: tuple[Gate, str], proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    store = through(proxy.url, azurite, container)
    data = os.urandom(12_000_000)
    asyncio.run(store.put("large", chunked(data)))

    async def scenario() -> None:
        proxy.cut_answer_at, proxy.times = 8_000_000, 1
        reading = store.open("large")
        await anext(reading)
        other = azurite.client.get_blob_client(container, "p/large")
        other.upload_blob(data[::-1], overwrite=True)
        with pytest.raises(StoreError, match=r"'p/large' in .*was replaced"):
            async for _ in reading:
                pass

    asyncio.run(scenario())
