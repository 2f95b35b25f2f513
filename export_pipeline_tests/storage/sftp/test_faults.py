"""Cuts, resets, stalls and full disks: no partial object, and the right kind of error."""

import asyncio
import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncssh
import pytest

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from export_pipeline.storage.sftp.open import open_store
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline_tests.servers.asyncssh_sftp import Faults
from export_pipeline_tests.servers.faults import FaultProxy, running_fault_proxy
from export_pipeline_tests.servers.sshd import SftpServer
from export_pipeline_tests.storage.conformance import chunked, keys, put, read

DATA = os.urandom(5_000_000)


@pytest.fixture
def proxy(server: SftpServer) -> Iterator[FaultProxy]:
    with running_fault_proxy(f"tcp://localhost:{server.port}") as proxy:
        yield proxy


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


def through(
    proxy: FaultProxy, server: SftpServer, folder: Path, stall_seconds: float = 60.0
) -> SftpStore:
    url = urlsplit(server.url(folder, urlsplit(proxy.url).port))
    return open_store(url, server.variables(), stall_seconds=stall_seconds, sleep=at_once)


def direct(
    running: tuple[SftpServer, Faults], stall_seconds: float = 60.0
) -> tuple[SftpStore, Path, Faults]:
    server, faults = running
    folder = server.new_folder()
    url = urlsplit(server.url(folder))
    opened = open_store(url, server.variables(), stall_seconds=stall_seconds, sleep=at_once)
    return opened, folder, faults


def drafts(folder: Path) -> list[Path]:
    return list((folder / ".unfinished").glob("*"))


FAULTS = [
    {"cut_upload_at": 1},
    {"cut_upload_at": 1_000_000},
    {"cut_answer_at": 0},
    {"cut_answer_at": 5_000},
    {"reset": True},
    {"stall_upload_at": 200_000},
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_write_survives_two_faults_and_goes_on_where_it_was(
    proxy: FaultProxy, server: SftpServer, folder: Path, fault: dict[str, Any]
) -> None:
    store = through(proxy, server, folder, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 2
    stored = asyncio.run(store.put("a/large", chunked(DATA)))
    assert proxy.hits == 2
    assert stored.size == len(DATA)
    assert (folder / "a/large").read_bytes() == DATA
    assert drafts(folder) == []


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_write_that_never_gets_through_is_transient_and_leaves_nothing_visible(
    proxy: FaultProxy, server: SftpServer, folder: Path, fault: dict[str, Any]
) -> None:
    store = through(proxy, server, folder, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 1_000
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+"):
        asyncio.run(store.put("large", chunked(DATA)))
    proxy.times = 0
    assert asyncio.run(keys(store)) == []
    asyncio.run(store.sweep(0, now=time.time() + 5))
    assert drafts(folder) == []


@pytest.mark.parametrize("offset", [0, 1_234_567])
def test_a_read_goes_on_where_it_was_cut(
    proxy: FaultProxy, server: SftpServer, folder: Path, offset: int
) -> None:
    (folder / "large").write_bytes(DATA)
    (folder / "large").chmod(0o644)
    store = through(proxy, server, folder)
    proxy.cut_answer_at, proxy.times = 1_500_000, 3
    assert asyncio.run(read(store, "large", offset)) == DATA[offset:]
    assert proxy.hits == 3


def test_a_read_never_joins_two_objects(
    proxy: FaultProxy, server: SftpServer, folder: Path
) -> None:
    (folder / "large").write_bytes(DATA)
    (folder / "large").chmod(0o644)
    other = folder / "other"
    other.write_bytes(DATA[::-1] + b"other")
    other.chmod(0o644)
    store = through(proxy, server, folder)

    async def scenario() -> None:
        proxy.cut_answer_at, proxy.times = 3_000_000, 1
        reading = store.open("large")
        await anext(reading)
        # At once: what is read ahead would else meet a file that is just being emptied.
        other.rename(folder / "large")
        with pytest.raises(StoreError, match="'large' was replaced by another object"):
            async for _ in reading:
                pass

    asyncio.run(scenario())


def test_a_file_that_shrinks_while_it_is_read_is_an_error(
    faulty: tuple[SftpServer, Faults],
) -> None:
    store, folder, _ = direct(faulty)
    (folder / "large").write_bytes(DATA * 3)

    async def scenario() -> None:
        reading = store.open("large")
        await anext(reading)
        os.truncate(folder / "large", 100)
        with pytest.raises(StoreUnavailable, match="'large' ended at byte"):
            async for _ in reading:
                pass

    asyncio.run(scenario())


def test_a_connection_that_broke_while_nobody_used_it_is_made_anew(
    proxy: FaultProxy, server: SftpServer, folder: Path
) -> None:
    store = through(proxy, server, folder)

    async def scenario() -> None:
        await put(store, "a")
        proxy.cut_upload_at, proxy.times = 1, 1
        await asyncio.gather(*(put(store, f"b/{number}") for number in range(20)))
        assert len(await keys(store)) == 21

    asyncio.run(scenario())
    assert proxy.hits == 1
    assert drafts(folder) == []


@pytest.mark.parametrize("is_done", [True, False], ids=["answer lost", "request lost"])
def test_after_a_lost_answer_our_own_object_is_told_from_another_writers(
    server: SftpServer, folder: Path, is_done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_store(urlsplit(server.url(folder)), server.variables(), sleep=at_once)
    rename = asyncssh.SFTPClient.rename
    losses = [1, 1, 1, 1]

    async def lost(sftp: asyncssh.SFTPClient, oldpath: str, newpath: str) -> None:
        if is_done or not losses:
            await rename(sftp, oldpath, newpath)
        if losses:
            losses.pop()
            if newpath.endswith("theirs"):
                (folder / "theirs").write_bytes(b"same size")
                (folder / "theirs").chmod(0o644)
            raise asyncssh.SFTPConnectionLost("the answer was lost")

    monkeypatch.setattr(asyncssh.SFTPClient, "rename", lost)

    async def scenario() -> None:
        assert (await put(opened, "ours", b"our bytes")).size == 9
        losses.extend([1])
        assert (await opened.copy("ours", "copied")).size == 9
        losses.extend([1])
        with pytest.raises(AlreadyExists, match="'theirs'"):
            await put(opened, "theirs", b"our bytes")

    asyncio.run(scenario())
    assert (folder / "ours").read_bytes() == (folder / "copied").read_bytes() == b"our bytes"
    assert (folder / "theirs").read_bytes() == b"same size"
    assert drafts(folder) == []


def test_a_server_that_answers_nothing_is_given_up_although_its_connection_lives(
    faulty: tuple[SftpServer, Faults],
) -> None:
    store, _, faults = direct(faulty, stall_seconds=0.4)
    faults.hanging = {"fsync"}
    with pytest.raises(StoreUnavailable, match=r"writing 'a' in sftp://.*the connection was lost"):
        asyncio.run(put(store, "a"))
    faults.hanging = set()
    assert asyncio.run(keys(store)) == []
    assert faults.connections > 1
    asyncio.run(put(store, "a"))


def test_other_bytes_than_were_sent_never_get_a_name(faulty: tuple[SftpServer, Faults]) -> None:
    store, folder, faults = direct(faulty)
    faults.is_altering = True
    for data in (b"small", DATA):
        with pytest.raises(StoreUnavailable, match="'a' was stored with other bytes"):
            asyncio.run(store.put("a", chunked(data)))
    assert "rename" not in faults.requests
    assert drafts(folder) == []


@pytest.mark.parametrize("request_", ["open", "write", "fsync", "mkdir", "rename"])
@pytest.mark.parametrize(
    ("problem", "error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), StoreFull, "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), StoreFull, "the quota of user 'archivist'"),
        (OSError(errno.EROFS, "Read-only file system"), AccessDenied, "file system is read-only"),
        (OSError(errno.EACCES, "Permission denied"), AccessDenied, "let user 'archivist' read"),
        (asyncssh.SFTPFailure("Failure"), StoreError, r"refuses it \(Failure\): look at its log"),
    ],
    ids=["disk full", "quota", "read-only", "denied", "no reason"],
)
def test_an_error_that_will_not_go_away_is_told_in_words_after_one_try(
    faulty: tuple[SftpServer, Faults],
    request_: str,
    problem: Exception,
    error: type[StoreError],
    words: str,
) -> None:
    store, folder, faults = direct(faulty)
    asyncio.run(put(store, "before"))
    faults.errors[request_] = problem
    faults.requests.clear()
    with pytest.raises(error, match=rf"writing 'a/b' in sftp://127.*{words}") as told:
        asyncio.run(store.put("a/b", chunked(DATA)))
    assert not told.value.transient
    assert faults.connections == 2
    faults.errors.clear()
    assert asyncio.run(keys(store)) == ["before"]
    assert drafts(folder) == []


def test_a_full_disk_is_found_where_openssh_tells_no_reason(sshd: SftpServer) -> None:
    folder = sshd.new_folder()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=777", "tmpfs", folder]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here: it needs root and CAP_SYS_ADMIN")
    try:
        store = open_store(urlsplit(sshd.url(folder)), sshd.variables())
        asyncio.run(put(store, "small"))
        with pytest.raises(StoreFull, match=r"writing 'large' in sftp://.*the disk is full"):
            asyncio.run(store.put("large", chunked(DATA)))
        assert asyncio.run(keys(store)) == ["small"]
        assert drafts(folder) == []
    finally:
        subprocess.run(["umount", folder], check=True)
