"""Answers that were lost: our own write is told from another writer's."""

import asyncio

import pytest

from export_pipeline.errors import AlreadyExists, StoreError, StoreUnavailable
from export_pipeline_tests.servers.azurite import Azurite
from export_pipeline_tests.servers.faults import Gate
from export_pipeline_tests.storage.azure.faults import BLOCK_BYTES, DATA, through
from export_pipeline_tests.storage.conformance import chunked, keys, put, read

pytestmark = pytest.mark.usefixtures("small_blocks")


@pytest.mark.parametrize("size", [BLOCK_BYTES, len(DATA)])
def test_a_lost_answer_to_our_own_write_is_told_from_another_writers_blob(
    gate: tuple[Gate, str], azurite: Azurite, container: str, size: int
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    data = DATA[:size]
    before = [None] * -(-size // BLOCK_BYTES) if size > BLOCK_BYTES else []

    async def scenario() -> None:
        # As if the first of two writes had got no answer: only the second is heard.
        await store.put("ours", chunked(data))
        app.answers = [*before, (500, {}, b"")]
        assert (await store.put("ours", chunked(data))).size == size
        await store.put("theirs", chunked(data[::-1]))
        app.answers = [*before, (500, {}, b"")]
        with pytest.raises(AlreadyExists, match="theirs"):
            await store.put("theirs", chunked(data))

    asyncio.run(scenario())
    assert asyncio.run(read(store, "theirs")) == data[::-1]


def test_a_lost_answer_to_a_list_of_blocks_is_no_error(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    """Azure may say of the repeated list that its blocks are gone, not that the blob exists."""
    app, url = gate
    store = through(url, azurite, container)
    gone = (400, {"x-ms-error-code": "InvalidBlockList"}, b"")
    asyncio.run(store.put("large", chunked(DATA)))
    app.answers = [None] * 4 + [gone]
    assert asyncio.run(store.put("large", chunked(DATA))).size == len(DATA)
    app.answers = [None] * 4 + [gone]
    with pytest.raises(StoreUnavailable, match=r"'p/never' in .*its blocks are gone: write it"):
        asyncio.run(store.put("never", chunked(DATA)))


def test_a_lost_answer_to_a_copy_is_told_from_another_writers_blob(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    app, url = gate
    store = through(url, azurite, container)

    async def scenario() -> None:
        await put(store, "source", b"same")
        await store.copy("source", "ours")
        app.answers = [None, (500, {}, b"")]
        assert (await store.copy("source", "ours")).size == 4
        await put(store, "theirs", b"else")
        app.answers = [None, (500, {}, b"")]
        with pytest.raises(AlreadyExists, match="theirs"):
            await store.copy("source", "theirs")

    asyncio.run(scenario())


def test_a_source_that_is_replaced_while_it_is_copied_is_told(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    asyncio.run(put(store, "source", b"first"))
    head = {"content-length": "5", "etag": '"0x1"'}
    app.answers = [(200, head, b"first")]
    with pytest.raises(StoreError, match=r"'p/target'.*replaced by another blob meanwhile"):
        asyncio.run(store.copy("source", "target"))
    assert asyncio.run(keys(store)) == ["source"]
