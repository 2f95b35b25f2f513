import asyncio
import os
from pathlib import Path

import pytest
import uvloop

from export_pipeline.errors import NotFound, StoreError
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline.storage.store import CHUNK_BYTES
from export_pipeline_tests.servers.sshd import SftpServer
from export_pipeline_tests.storage.conformance import LARGE, StoreConformance, keys, put, read
from export_pipeline_tests.storage.memory import megabytes_needed
from export_pipeline_tests.storage.sftp.drafts import drafts

HOSTILE = [
    "a=2f=2e=2e=2fb",
    "a b/%2f;:\"<x>|'*?&~$(x)`",
    "...dots./..x/x..y/.hidden",
    "é☃/=2e/ leading and trailing ",
    "-rf/--/{place}{",
    "a#b?c=d@e:f/[1]",
]


class TestSftpStore(StoreConformance):
    """On OpenSSH's server, which is what an archive will meet, and on asyncssh's."""


def test_an_object_lies_under_exactly_its_key_and_no_draft_is_left(
    store: SftpStore, folder: Path
) -> None:
    async def scenario() -> None:
        for key in HOSTILE:
            await put(store, key, key.encode())
        assert await keys(store) == sorted(HOSTILE)
        for key in HOSTILE:
            assert await read(store, key) == key.encode()
            assert await keys(store, key) == [key]

    asyncio.run(scenario())
    assert [(folder / key).read_text() for key in HOSTILE] == HOSTILE
    assert drafts(folder) == []


def test_a_list_has_thousands_of_files_in_order_of_key_and_nothing_but_files(
    store: SftpStore, folder: Path
) -> None:
    wanted = sorted(f"{a}/{b}-{c:03}/x" for a in "ab" for b in "cd" for c in range(100))
    wanted += sorted(f"flat/{number:05}" for number in range(2_000))
    for key in wanted:
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(b"12345")
    (folder / "flat" / "link").symlink_to(folder / "flat" / "00001")
    (folder / "a" / "folder-link").symlink_to(folder / "flat")
    (folder / "empty").mkdir()
    os.mkfifo(folder / "flat" / "pipe")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)

    async def scenario() -> None:
        found = [(stored.key, stored.size) async for stored in store.list()]
        assert found == [(key, 5) for key in wanted]
        assert await keys(store, "flat/0100") == wanted[400:][1_000:1_010]
        assert await keys(store, "flat/none") == []
        for absent in ("flat/link", "flat/pipe", "empty"):
            assert await store.stat(absent) is None
            with pytest.raises(NotFound):
                await read(store, absent)

    asyncio.run(scenario())


def test_a_copy_shares_nothing_with_what_it_was_made_of(store: SftpStore, folder: Path) -> None:
    """A vendor that wrote below `.incoming/` may go on writing to its file there."""

    async def scenario() -> None:
        await put(store, ".incoming/order/file", LARGE)
        await put(store, ".incoming/order/empty", b"")
        await store.copy(".incoming/order/file", "bag/file")
        assert (await store.copy(".incoming/order/empty", "bag/empty")).size == 0
        (folder / ".incoming/order/file").write_bytes(b"other")
        assert await read(store, "bag/file") == LARGE
        assert await read(store, "bag/empty") == b""

    asyncio.run(scenario())
    assert drafts(folder) == []


def test_a_folder_removed_by_hand_is_made_again(store: SftpStore, folder: Path) -> None:
    async def scenario() -> None:
        await put(store, "scan/1/data/x")
        (folder / "scan/1/data/x").unlink()
        (folder / "scan/1/data").rmdir()
        (folder / "scan/1").rmdir()
        await put(store, "scan/1/data/x", b"again")
        assert await read(store, "scan/1/data/x") == b"again"

    asyncio.run(scenario())


def test_a_key_below_a_file_is_refused_in_words(store: SftpStore) -> None:
    async def scenario() -> None:
        await put(store, "file")
        with pytest.raises(StoreError, match=r"writing 'file/below' in sftp://") as told:
            await put(store, "file/below")
        assert not told.value.transient
        assert await keys(store) == ["file"]

    asyncio.run(scenario())


def test_a_name_that_is_too_long_is_refused_in_words(store: SftpStore, folder: Path) -> None:
    async def scenario() -> None:
        await put(store, f"a/{'n' * 255}")
        for key in (f"a/{'n' * 256}", f"{'n' * 256}/a", f"a/{'é' * 128}"):
            with pytest.raises(StoreError, match="its longest part has 256 bytes") as told:
                await put(store, key)
            assert not told.value.transient

    asyncio.run(scenario())
    assert drafts(folder) == []


def test_it_works_on_uvloop_as_the_receiver_runs_on_it(store: SftpStore) -> None:
    async def scenario() -> None:
        await put(store, "a/b", LARGE)
        assert await read(store, "a/b", offset=CHUNK_BYTES) == LARGE[CHUNK_BYTES:]

    uvloop.run(scenario())


def test_a_large_stream_needs_little_memory(server: SftpServer, folder: Path) -> None:
    assert megabytes_needed(server.url(folder), server.variables(), large=100) < 50
