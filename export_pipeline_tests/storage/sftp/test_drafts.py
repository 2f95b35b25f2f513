"""Files under temporary names: on the disk before they get their own, and never left."""

import asyncio
import time
from pathlib import Path

import asyncssh
import pytest

from export_pipeline.errors import StoreError
from export_pipeline.storage.open import open_store
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline_tests.servers.asyncssh_sftp import Faults
from export_pipeline_tests.servers.sshd import SftpServer
from export_pipeline_tests.storage.conformance import keys, put
from export_pipeline_tests.storage.sftp.drafts import DRAFTS, drafts


def test_a_sweep_takes_what_crashed_writers_left_and_spares_running_uploads(
    store: SftpStore, server: SftpServer, folder: Path
) -> None:
    asyncio.run(put(store, "whole", b"whole"))
    (folder / DRAFTS / "left").write_bytes(b"half of it")
    (folder / DRAFTS / "a folder").mkdir()
    assert asyncio.run(store.sweep(3_600, now=time.time())) == 0
    assert asyncio.run(store.sweep(3_600, now=time.time() + 7_200)) == 1
    assert [path.name for path in drafts(folder)] == ["a folder"]
    assert asyncio.run(keys(store)) == ["whole"]


def test_there_is_nothing_to_sweep_before_the_first_write(store: SftpStore) -> None:
    assert asyncio.run(store.sweep(0, now=time.time())) == 0


def test_the_folder_of_drafts_holds_no_keys(store: SftpStore) -> None:
    async def scenario() -> None:
        await put(store, f"{DRAFTS}.pdf")
        for key in (DRAFTS, f"{DRAFTS}/x"):
            with pytest.raises(StoreError, match="holds files not yet whole"):
                await put(store, key)
        assert await keys(store) == [f"{DRAFTS}.pdf"]
        assert await keys(store, f"{DRAFTS}/") == []

    asyncio.run(scenario())


def test_an_object_is_on_the_servers_disk_before_it_has_a_name(
    faulty: tuple[SftpServer, Faults],
) -> None:
    server, faults = faulty
    store = open_store(server.url(server.new_folder()), server.variables())
    asyncio.run(put(store, "a"))
    one_by_one = [name for name in faults.requests if name in {"write", "fsync", "rename"}]
    assert one_by_one == ["write", "fsync", "rename"]


def test_openssh_is_made_to_write_the_folders_to_its_disk_as_well(
    sshd: SftpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sshd.new_folder()
    store = open_store(sshd.url(folder), sshd.variables())
    opening, syncing = asyncssh.SFTPClient.open, asyncssh.SFTPClientFile.fsync
    paths: dict[asyncssh.SFTPClientFile, str] = {}
    synced: list[str] = []

    async def opened(sftp: asyncssh.SFTPClient, path: str, *args, **kwargs):
        file = await opening(sftp, path, *args, **kwargs)
        paths[file] = path.removeprefix(str(folder))
        return file

    async def fsync(file: asyncssh.SFTPClientFile) -> None:
        await syncing(file)
        synced.append(paths[file])

    monkeypatch.setattr(asyncssh.SFTPClient, "open", opened)
    monkeypatch.setattr(asyncssh.SFTPClientFile, "fsync", fsync)
    asyncio.run(put(store, "a/b/c"))
    assert synced[0].startswith(f"/{DRAFTS}/")
    assert synced[1:] == ["", "/a", "/a/b"]
    asyncio.run(put(store, "a/b/d"))
    assert synced[5:] == ["/a/b"]
    asyncio.run(store.delete("a/b/d"))
    assert synced[6:] == ["/a/b"]
