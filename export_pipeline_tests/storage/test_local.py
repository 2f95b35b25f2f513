import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from export_pipeline.errors import AccessDenied, AlreadyExists, StoreError, StoreFull
from export_pipeline.storage.local import DRAFTS, LocalStore
from export_pipeline.storage.store import CHUNK_BYTES, pieces
from export_pipeline_tests.storage.conformance import (
    LARGE,
    StoreConformance,
    keys,
    put,
    read,
)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "archive")


class TestLocalStore(StoreConformance):
    pass


def leftovers(root: Path) -> list[str]:
    return [str(path) for path in (root / "archive" / DRAFTS).iterdir()]


def fail_with(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def path_of(file: int) -> str:
    return str(Path(f"/proc/self/fd/{file}").readlink())


def test_nothing_is_made_on_disk_before_the_first_put(tmp_path: Path, store: LocalStore) -> None:
    async def scenario() -> None:
        assert await keys(store) == []
        assert await store.stat("a") is None
        assert await store.sweep(0, now=0) == 0

    asyncio.run(scenario())
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize("data", [b"small", LARGE])
def test_a_full_disk_is_told_with_key_and_path_and_leaves_nothing(
    tmp_path: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(os, "write", fail_with(errno.ENOSPC))
    with pytest.raises(StoreFull, match=r"'scan/report\.pdf' \(.*archive.*make room"):
        asyncio.run(put(store, "scan/report.pdf", data))
    assert leftovers(tmp_path) == []
    monkeypatch.undo()
    asyncio.run(put(store, "scan/report.pdf", data))
    assert asyncio.run(read(store, "scan/report.pdf")) == data


def test_a_file_that_the_system_cuts_short_is_never_shown(tmp_path: Path) -> None:
    """The limit of the process ends the write in the middle, as a full disk does."""
    script = """
import asyncio, pathlib, resource, sys
from export_pipeline.errors import StoreError
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import pieces
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
store = LocalStore(pathlib.Path(sys.argv[1]))
try:
    asyncio.run(store.put("cut", pieces(b"x" * 5000)))
except StoreError as error:
    print(error)
"""
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "archive")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "'cut'" in told.stdout
    assert "File too large" in told.stdout
    assert [path.name for path in (tmp_path / "archive").iterdir()] == [DRAFTS]
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_refusal_by_the_system_is_access_denied(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "link", fail_with(number))
    with pytest.raises(AccessDenied, match="'a/b'"):
        asyncio.run(put(store, "a/b"))
    monkeypatch.undo()
    assert asyncio.run(keys(store)) == []


def test_an_error_of_the_disk_itself_is_told_as_it_is(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", fail_with(errno.EIO))
    with pytest.raises(StoreError, match="Input/output error") as told:
        asyncio.run(put(store, "a"))
    assert not told.value.transient


def test_a_key_below_a_file_is_an_error_in_words(store: LocalStore) -> None:
    asyncio.run(put(store, "a/file"))
    with pytest.raises(StoreError, match="'a/file/below'"):
        asyncio.run(put(store, "a/file/below"))


def test_a_root_that_is_a_file_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(b"")
    with pytest.raises(StoreError, match=r"'a'.*archive"):
        asyncio.run(put(LocalStore(tmp_path / "archive"), "a"))


def test_files_not_yet_whole_can_be_neither_listed_nor_named(
    tmp_path: Path, store: LocalStore
) -> None:
    asyncio.run(put(store, "a"))
    (tmp_path / "archive" / DRAFTS / "left").write_bytes(b"half")
    assert asyncio.run(keys(store)) == ["a"]
    assert asyncio.run(keys(store, DRAFTS)) == []
    assert asyncio.run(keys(store, DRAFTS + "/")) == []
    with pytest.raises(StoreError, match="not yet whole"):
        asyncio.run(store.stat(f"{DRAFTS}/left"))


def test_a_sweep_takes_what_crashed_writers_left_and_spares_running_uploads(
    tmp_path: Path, store: LocalStore
) -> None:
    asyncio.run(put(store, "kept"))
    for name, written in (("old", 1_000), ("new", 5_000)):
        path = tmp_path / "archive" / DRAFTS / name
        path.write_bytes(b"half")
        os.utime(path, (written, written))
    assert asyncio.run(store.sweep(3_600, now=5_000)) == 1
    assert [Path(path).name for path in leftovers(tmp_path)] == ["new"]
    assert asyncio.run(keys(store)) == ["kept"]


def test_a_writer_killed_before_the_link_leaves_only_what_a_sweep_takes(tmp_path: Path) -> None:
    script = """
import asyncio, os, pathlib, sys
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import pieces
os.link = lambda *_: os.kill(os.getpid(), 9)
asyncio.run(LocalStore(pathlib.Path(sys.argv[1])).put("a", pieces(b"whole")))
"""
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path / "archive")], check=False)
    assert ended.returncode == -9
    store = LocalStore(tmp_path / "archive")
    assert len(leftovers(tmp_path)) == 1
    assert asyncio.run(keys(store)) == []
    assert asyncio.run(store.sweep(-60, now=_mtime(tmp_path))) == 1
    asyncio.run(put(store, "a", b"whole"))


def _mtime(root: Path) -> float:
    (left,) = leftovers(root)
    return Path(left).stat().st_mtime


def test_of_processes_that_put_one_key_exactly_one_wins(tmp_path: Path) -> None:
    script = """
import asyncio, pathlib, sys
from export_pipeline.errors import AlreadyExists
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import pieces
store = LocalStore(pathlib.Path(sys.argv[1]))
sys.stdin.read()
try:
    asyncio.run(store.put("deep/folder/key", pieces(sys.argv[2].encode())))
    print("won")
except AlreadyExists:
    print("lost")
"""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "archive"), f"writer {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    told = [writer.communicate("")[0].strip() for writer in writers]
    assert sorted(told) == ["lost", "lost", "lost", "won"]
    stored = asyncio.run(read(LocalStore(tmp_path / "archive"), "deep/folder/key"))
    assert stored == f"writer {told.index('won')}".encode()


def test_a_cancelled_put_leaves_nothing(tmp_path: Path, store: LocalStore) -> None:
    async def scenario() -> None:
        begun = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            yield b"x" * CHUNK_BYTES
            begun.set()
            await asyncio.Event().wait()

        writing = asyncio.create_task(store.put("a", endless()))
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    asyncio.run(scenario())
    assert leftovers(tmp_path) == []
    assert asyncio.run(keys(store)) == []


def test_a_small_file_costs_one_hop_to_a_thread_and_is_synced_with_its_folders(
    tmp_path: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hops: list[str] = []
    synced: list[str] = []
    hop, sync = asyncio.to_thread, os.fsync

    async def counted(function: Callable[..., object], *args: object, **named: object) -> object:
        hops.append(function.__name__)
        return await hop(function, *args, **named)

    def recorded(file: int) -> None:
        synced.append(path_of(file).removeprefix(str(tmp_path)))
        sync(file)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    monkeypatch.setattr(os, "fsync", recorded)
    store = LocalStore(tmp_path / "archive", token=lambda: "token")
    asyncio.run(store.put("a/b/c", pieces([b"piece"] * 20)))
    assert len(hops) == 1
    assert synced[0] == "/archive/.unfinished/token"
    assert set(synced[1:]) >= {"/archive", "/archive/a", "/archive/a/b"}
    assert synced[-1] == "/archive/a/b"


def test_that_an_object_is_there_is_told_only_once_it_is_durable(
    tmp_path: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer may be killed between the link and the sync; a repeat is answered 200 then."""
    asyncio.run(put(store, "a/b"))
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(path_of(file)))
    with pytest.raises(AlreadyExists):
        asyncio.run(put(store, "a/b"))
    assert synced[-1] == str(tmp_path / "archive" / "a")


def test_a_folder_removed_by_hand_is_made_again(tmp_path: Path, store: LocalStore) -> None:
    asyncio.run(put(store, "a/b/c"))
    (tmp_path / "archive/a/b/c").unlink()
    (tmp_path / "archive/a/b").rmdir()
    asyncio.run(put(store, "a/b/d", b"again"))
    assert asyncio.run(read(store, "a/b/d")) == b"again"


def test_bytes_are_never_added_to_a_leftover_of_the_same_name(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "archive", token=lambda: "same")
    asyncio.run(put(store, "first"))
    (tmp_path / "archive" / DRAFTS / "same").write_bytes(b"left by a crash ")
    with pytest.raises(StoreError, match=r"'second'.*File exists"):
        asyncio.run(put(store, "second"))
    assert asyncio.run(keys(store)) == ["first"]


def test_its_url_is_a_file_url(tmp_path: Path) -> None:
    assert LocalStore(Path("/my archive/x")).url == "file:///my%20archive/x"
    assert LocalStore(tmp_path).cloudconvert("a") is None
