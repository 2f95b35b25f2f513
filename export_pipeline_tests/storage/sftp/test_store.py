import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
import uvloop

from export_pipeline.errors import AccessDenied, AlreadyExists, NotFound, StoreError
from export_pipeline.storage.open import open_store
from export_pipeline.storage.probe import NO_CREATE_ONLY, probe
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline.storage.store import CHUNK_BYTES, Store, pieces
from export_pipeline_tests.servers.asyncssh_sftp import Faults
from export_pipeline_tests.servers.sshd import LOOPBACK, SftpServer
from export_pipeline_tests.storage.conformance import (
    LARGE,
    StoreConformance,
    broken_off,
    keys,
    put,
    read,
)

DRAFTS = ".unfinished"
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


def drafts(folder: Path) -> list[Path]:
    return list((folder / DRAFTS).glob("*"))


async def endless(folder: Path, begun: asyncio.Event) -> AsyncIterator[bytes]:
    """Tell once some of it was written."""
    while True:
        yield LARGE
        if drafts(folder):
            begun.set()


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


def test_the_servers_plain_rename_refuses_a_name_that_is_taken_and_its_posix_rename_does_not(
    server: SftpServer, folder: Path
) -> None:
    """Why the one is used, and the other never."""
    for name in ("draft", "taken"):
        (folder / name).write_text(name)
    root = f"{server.root}/{folder.name}"

    async def scenario() -> None:
        async with (
            asyncssh.connect(
                LOOPBACK,
                server.port,
                username=server.user,
                client_keys=[asyncssh.import_private_key(server.private_key)],
                known_hosts=([asyncssh.import_public_key(server.host_key)], [], []),
                config=None,
            ) as connection,
            connection.start_sftp_client() as sftp,
        ):
            with pytest.raises(asyncssh.SFTPFailure):
                await sftp.rename(f"{root}/draft", f"{root}/taken")
            assert (folder / "taken").read_text() == "taken"
            await sftp.posix_rename(f"{root}/draft", f"{root}/taken")

    asyncio.run(scenario())
    assert (folder / "taken").read_text() == "draft"


def test_drafts_are_removed_when_the_stream_breaks_off_or_the_writer_is_cancelled(
    store: SftpStore, folder: Path
) -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectionResetError):
            await store.put("broken", broken_off(LARGE))
        begun = asyncio.Event()
        writing = asyncio.create_task(store.put("cancelled", endless(folder, begun)))
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await put(store, "taken")
        with pytest.raises(AlreadyExists):
            await put(store, "taken")
        with pytest.raises(AlreadyExists):
            await store.copy("taken", "taken")

    asyncio.run(scenario())
    assert drafts(folder) == []


def test_a_loop_that_ends_under_a_writer_does_not_wait_for_answers_that_never_come(
    store: SftpStore, folder: Path
) -> None:
    async def scenario() -> None:
        await put(store, "a")
        begun = asyncio.Event()
        orphans = [asyncio.create_task(store.put("orphan", endless(folder, begun)))]
        await begun.wait()
        orphans += [asyncio.create_task(keys(store)) for _ in range(20)]
        await asyncio.sleep(0)

    begun = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - begun < 20
    assert asyncio.run(keys(store)) == ["a"]


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


def test_a_server_without_extensions_is_used_as_well(
    faulty: tuple[SftpServer, Faults], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No `copy-data`, `fsync`, `limits` and `statvfs`, as many have none."""
    monkeypatch.setattr("asyncssh.sftp.SFTPServerHandler._extensions", [])
    server, faults = faulty
    store = open_store(server.url(server.new_folder()), server.variables())

    async def scenario() -> None:
        await put(store, "source", LARGE)
        await store.copy("source", "target")
        assert await read(store, "target") == LARGE

    asyncio.run(scenario())
    assert "fsync" not in faults.requests


def test_an_object_is_on_the_servers_disk_before_it_has_a_name(
    faulty: tuple[SftpServer, Faults],
) -> None:
    server, faults = faulty
    store = open_store(server.url(server.new_folder()), server.variables())
    asyncio.run(put(store, "a"))
    one_by_one = [name for name in faults.requests if name in {"write", "fsync", "rename"}]
    assert one_by_one == ["write", "fsync", "rename"]


def test_openssh_is_made_to_write_the_folders_to_its_disk_as_well(
    openssh: SftpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = openssh.new_folder()
    store = open_store(openssh.url(folder), openssh.variables())
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


def test_fifty_writers_share_one_connection_which_ends_with_their_loop(
    faulty: tuple[SftpServer, Faults],
) -> None:
    server, faults = faulty
    store = open_store(server.url(server.new_folder()), server.variables())

    async def scenario() -> None:
        await asyncio.gather(*(put(store, f"a/{number}") for number in range(50)))

    for connections in (1, 2):
        asyncio.run(scenario() if connections == 1 else keys(store))
        assert faults.connections == connections


def test_a_store_that_is_dropped_before_its_loop_ends_leaves_no_connection_behind(
    server: SftpServer, folder: Path
) -> None:
    """As in Dagster, which ends a loop by closing its generators and nothing more."""

    async def scenario() -> None:
        await put(open_store(server.url(folder), server.variables()), "a")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(scenario())
    gc.collect()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    gc.collect()


def test_it_works_on_uvloop_as_the_receiver_runs_on_it(store: SftpStore) -> None:
    async def scenario() -> None:
        await put(store, "a/b", LARGE)
        assert await read(store, "a/b", offset=CHUNK_BYTES) == LARGE[CHUNK_BYTES:]

    uvloop.run(scenario())


def test_a_name_that_is_too_long_is_refused_in_words(store: SftpStore, folder: Path) -> None:
    async def scenario() -> None:
        await put(store, f"a/{'n' * 255}")
        for key in (f"a/{'n' * 256}", f"{'n' * 256}/a", f"a/{'é' * 128}"):
            with pytest.raises(StoreError, match="its longest part has 256 bytes") as told:
                await put(store, key)
            assert not told.value.transient

    asyncio.run(scenario())
    assert drafts(folder) == []


@pytest.mark.parametrize("key", ["a", "folder/a"])
def test_who_may_only_read_is_told_what_to_allow(openssh: SftpServer, key: str) -> None:
    folder = openssh.new_folder()
    (folder / "folder").mkdir(mode=0o755)
    folder.chmod(0o555)
    store = open_store(openssh.url(folder), openssh.variables())

    async def scenario() -> None:
        with pytest.raises(
            AccessDenied,
            match=rf"writing '{key}' in sftp.*permission denied: let user '{openssh.user}'",
        ):
            await put(store, key)
        assert await keys(store) == []

    asyncio.run(scenario())


def test_who_may_not_even_read_is_never_told_that_nothing_is_there(openssh: SftpServer) -> None:
    folder = openssh.new_folder()
    (folder / "a").write_bytes(b"x")
    folder.chmod(0)
    store = open_store(openssh.url(folder), openssh.variables())

    async def scenario() -> None:
        for call in (store.stat("a"), read(store, "a"), keys(store)):
            with pytest.raises(AccessDenied, match="permission denied"):
                await call

    asyncio.run(scenario())


def test_a_missing_folder_is_never_taken_for_a_missing_object_and_never_made(
    server: SftpServer,
) -> None:
    nowhere = server.files / "no such folder"
    store = open_store(server.url(nowhere), server.variables())
    _every_method(store, StoreError, r"there is no folder '.*no such folder' on 127\.0\.0\.1:\d+")
    assert not nowhere.exists()


def test_a_probe_finds_every_step_works_and_leaves_nothing(store: SftpStore) -> None:
    async def scenario() -> None:
        assert [(step.name, step.ok) for step in await probe(store)] == [
            ("write", True),
            ("read back", True),
            ("create-only", True),
            ("sign", None),
            ("delete", True),
        ]
        assert await keys(store) == []

    asyncio.run(scenario())


def test_a_probe_says_loudly_that_the_host_key_is_not_checked(
    server: SftpServer, folder: Path
) -> None:
    unchecked = {
        **server.variables(),
        "EXPORT_SFTP_HOST_KEY": "",
        "EXPORT_SFTP_HOST_KEY_CHECKING": "false",
    }
    steps = asyncio.run(probe(open_store(server.url(folder), unchecked)))
    assert (steps[0].name, steps[0].ok) == ("caution", None)
    assert "THE HOST KEY IS NOT CHECKED (EXPORT_SFTP_HOST_KEY_CHECKING=false)" in steps[0].words
    assert all(step.ok for step in steps if step.ok is not None)


def test_a_server_whose_rename_replaces_files_is_found_out_and_then_looked_at_first(
    faulty: tuple[SftpServer, Faults],
) -> None:
    server, faults = faulty
    faults.is_replacing = True
    url = server.url(server.new_folder())
    found = {step.name: step for step in asyncio.run(probe(open_store(url, server.variables())))}
    assert found["create-only"].ok is False
    assert "say so with EXPORT_SFTP_CREATE_ONLY=false" in found["create-only"].words
    store = open_store(url, {**server.variables(), "EXPORT_SFTP_CREATE_ONLY": "false"})
    assert not store.capabilities.create_only
    steps = {step.name: step for step in asyncio.run(probe(store))}
    assert (steps["create-only"].ok, steps["create-only"].words) == (None, NO_CREATE_ONLY)


def test_a_large_stream_needs_little_memory(server: SftpServer, folder: Path) -> None:
    script = """
import asyncio, json, resource, sys
from export_pipeline.storage.open import open_store
store = open_store(sys.argv[1], json.loads(sys.argv[2]))
async def stream(pieces):
    for number in range(pieces):
        yield number.to_bytes(4, "big") * (1 << 18)
async def write(key, pieces):
    await store.put(key, stream(pieces))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
asyncio.run(write("warm", 1))
before = peak()
asyncio.run(write("large", 100))
async def read():
    return sum([len(chunk) async for chunk in store.open("large")])
assert asyncio.run(read()) == 100 << 20
print((peak() - before) // 1024)
"""
    told = subprocess.run(
        [sys.executable, "-c", script, server.url(folder), json.dumps(server.variables())],
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(told.stdout) < 50


def _every_method(store: Store, error: type[StoreError], words: str) -> None:
    async def scenario() -> None:
        for call in (
            put(store, "a"),
            store.put("a/large", pieces([b"x" * CHUNK_BYTES] * 5)),
            store.stat("a"),
            read(store, "a"),
            keys(store),
            keys(store, "a/"),
            store.copy("a", "b"),
            store.delete("a"),
            store.sweep(0, now=0),
        ):
            with pytest.raises(error, match=words):
                await call

    asyncio.run(scenario())
