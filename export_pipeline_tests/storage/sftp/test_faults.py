"""Cuts, resets, stalls and full disks: no partial object, and the right kind of error."""

import asyncio
import errno
import os
import shutil
import subprocess

import asyncssh
import pytest

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline.storage.store import Store
from export_pipeline_tests.servers.asyncssh_sftp import Faults
from export_pipeline_tests.servers.faults import FaultProxy
from export_pipeline_tests.servers.sshd import SftpServer
from export_pipeline_tests.storage.conformance import chunked, keys, put
from export_pipeline_tests.storage.fault_conformance import (
    ALWAYS,
    HOPELESS_SECONDS,
    LARGE,
    FaultConformance,
)
from export_pipeline_tests.storage.sftp.faults import SftpUpstream


class TestSftpFaults(FaultConformance):
    """On OpenSSH's server, which is what an archive will meet, and on asyncssh's."""

    def test_answers_that_are_cut_within_a_session_are_survived_and_transient(
        self, upstream: SftpUpstream, proxy: FaultProxy, direct: Store, data: bytes
    ) -> None:
        store = upstream.store(proxy.url)
        proxy.strike(ALWAYS, cut_answer_at=5_000)
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+"):
            asyncio.run(store.put("a/large", chunked(data)))
        assert asyncio.run(keys(direct)) == []
        proxy.strike(2, cut_answer_at=5_000)
        asyncio.run(store.put("a/large", chunked(data)))
        assert proxy.times == 0
        assert (upstream.folder / "a/large").read_bytes() == data


def direct(running: tuple[SftpServer, Faults]) -> tuple[SftpUpstream, SftpStore, Faults]:
    """A store that meets no faults but the server's own."""
    server, faults = running
    upstream = SftpUpstream(server, server.new_folder())
    return upstream, upstream.store(upstream.url), faults


def test_a_file_that_shrinks_while_it_is_read_is_an_error(
    faulty: tuple[SftpServer, Faults],
) -> None:
    upstream, store, _ = direct(faulty)
    upstream.write("large", LARGE * 3)

    async def scenario() -> None:
        reading = store.open("large")
        await anext(reading)
        os.truncate(upstream.folder / "large", 100)
        with pytest.raises(StoreUnavailable, match="'large' ended at byte"):
            async for _ in reading:
                pass

    asyncio.run(scenario())


def test_a_connection_that_broke_while_nobody_used_it_is_made_anew(
    upstream: SftpUpstream, proxy: FaultProxy
) -> None:
    store = upstream.store(proxy.url)

    async def scenario() -> None:
        await put(store, "a")
        proxy.strike(1, cut_upload_at=1)
        await asyncio.gather(*(put(store, f"b/{number}") for number in range(20)))
        assert len(await keys(store)) == 21

    asyncio.run(scenario())
    assert proxy.times == 0
    assert upstream.unfinished() == []


@pytest.mark.parametrize("is_done", [True, False], ids=["answer lost", "request lost"])
def test_after_a_lost_answer_our_own_object_is_told_from_another_writers(
    upstream: SftpUpstream, is_done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = upstream.store(upstream.url)
    rename = asyncssh.SFTPClient.rename
    losses = [1, 1, 1, 1]

    async def lost(sftp: asyncssh.SFTPClient, oldpath: str, newpath: str) -> None:
        if is_done or not losses:
            await rename(sftp, oldpath, newpath)
        if losses:
            losses.pop()
            if newpath.endswith("theirs"):
                upstream.write("theirs", b"same size")
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
    for key, data in (("ours", b"our bytes"), ("copied", b"our bytes"), ("theirs", b"same size")):
        assert (upstream.folder / key).read_bytes() == data
    assert upstream.unfinished() == []


def test_a_server_that_answers_nothing_is_given_up_although_its_connection_lives(
    faulty: tuple[SftpServer, Faults],
) -> None:
    upstream, patient, faults = direct(faulty)
    hasty = upstream.store(upstream.url, stall_seconds=HOPELESS_SECONDS)
    faults.hanging = {"fsync"}
    with pytest.raises(StoreUnavailable, match=r"writing 'a' in sftp://.*the connection was lost"):
        asyncio.run(put(hasty, "a"))
    faults.hanging = set()
    assert faults.connections > 1
    assert asyncio.run(keys(patient)) == []
    asyncio.run(put(patient, "a"))


def test_other_bytes_than_were_sent_never_get_a_name(faulty: tuple[SftpServer, Faults]) -> None:
    upstream, store, faults = direct(faulty)
    faults.is_altering = True
    for data in (b"small", LARGE):
        with pytest.raises(StoreUnavailable, match="'a' was stored with other bytes"):
            asyncio.run(store.put("a", chunked(data)))
    assert "rename" not in faults.requests
    assert upstream.unfinished() == []


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
    upstream, store, faults = direct(faulty)
    asyncio.run(put(store, "before"))
    faults.errors[request_] = problem
    faults.requests.clear()
    with pytest.raises(error, match=rf"writing 'a/b' in sftp://127.*{words}") as told:
        asyncio.run(store.put("a/b", chunked(LARGE)))
    assert not told.value.transient
    assert faults.connections == 2
    faults.errors.clear()
    assert asyncio.run(keys(store)) == ["before"]
    assert upstream.unfinished() == []


def test_a_full_disk_is_found_where_openssh_tells_no_reason(sshd: SftpServer) -> None:
    folder = sshd.new_folder()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=777", "tmpfs", folder]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here: it needs root and CAP_SYS_ADMIN")
    try:
        upstream = SftpUpstream(sshd, folder)
        store = upstream.store(upstream.url)
        asyncio.run(put(store, "small"))
        with pytest.raises(StoreFull, match=r"writing 'large' in sftp://.*the disk is full"):
            asyncio.run(store.put("large", chunked(LARGE)))
        assert asyncio.run(keys(store)) == ["small"]
        assert upstream.unfinished() == []
    finally:
        subprocess.run(["umount", folder], check=True)
