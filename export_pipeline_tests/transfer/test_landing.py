"""Files landing in a folder: whole under their names, resumed, and never through a link."""

import asyncio
import fcntl
import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from export_pipeline.errors import BadInput, FolderError, StoreUnavailable
from export_pipeline.transfer.folder import Folder
from export_pipeline.transfer.landing import Landing, Read, land

DATA = os.urandom(3_000_000)
PIECE = 500_000
TO = Landing("scan/1/data/a.pdf", "scan/1.partial/data/a.pdf", "scan/1.damaged/data/a.pdf")
HOSTILE = 'é ü=2e%2f;:"<x>|\u2028.PDF '


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Source:
    """A file that is read in pieces; breaks after so many of them, if told to."""

    def __init__(self, data: bytes = DATA, breaks_after: int | None = None) -> None:
        self.data = data
        self.breaks_after = breaks_after
        self.begun: list[int] = []

    async def read(self, offset: int) -> AsyncIterator[bytes]:
        self.begun.append(offset)
        for number, start in enumerate(range(offset, len(self.data), PIECE)):
            if number == self.breaks_after:
                raise StoreUnavailable("the store went away")
            yield self.data[start : start + PIECE]


def bring(root: Path, read: Read, to: Landing = TO, data: bytes = DATA) -> tuple[int, bool]:
    return asyncio.run(land(Folder(root), to, digest(data), read))


def test_a_file_that_is_there_whole_is_not_read_again(tmp_path: Path) -> None:
    source = Source()
    assert bring(tmp_path, source.read) == (len(DATA), False)
    assert (tmp_path / TO.path).read_bytes() == DATA
    assert bring(tmp_path, source.read) == (len(DATA), True)
    assert source.begun == [0]


def test_what_broke_off_has_another_name_and_goes_on_from_its_last_byte(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="went away"):
        bring(tmp_path, Source(breaks_after=2).read)
    assert not (tmp_path / TO.path).exists()
    assert (tmp_path / TO.partial).read_bytes() == DATA[: 2 * PIECE]
    source = Source()
    bring(tmp_path, source.read)
    assert source.begun == [2 * PIECE]
    assert (tmp_path / TO.path).read_bytes() == DATA
    assert not (tmp_path / TO.partial).exists()


@pytest.mark.parametrize(
    "torn", [DATA[:700_000] + bytes(9), DATA + b"more", bytes(len(DATA)), b"\0"]
)
def test_a_partial_file_that_a_crash_tore_is_begun_anew(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / TO.partial).parent.mkdir(parents=True)
    (tmp_path / TO.partial).write_bytes(torn)
    source = Source()
    bring(tmp_path, source.read)
    assert source.begun == [len(torn), 0]
    assert (tmp_path / TO.path).read_bytes() == DATA


def test_a_partial_file_that_is_whole_is_named_without_reading(tmp_path: Path) -> None:
    (tmp_path / TO.partial).parent.mkdir(parents=True)
    (tmp_path / TO.partial).write_bytes(DATA)
    source = Source()
    assert bring(tmp_path, source.read) == (len(DATA), False)
    assert source.begun == []


def test_what_arrives_changed_is_kept_under_a_name_that_says_so(tmp_path: Path) -> None:
    flipped = bytes([DATA[0] ^ 1]) + DATA[1:]
    with pytest.raises(BadInput, match=rf"{digest(DATA)} and arrived with {digest(flipped)}"):
        bring(tmp_path, Source(flipped).read)
    assert not (tmp_path / TO.path).exists()
    assert (tmp_path / TO.damaged).read_bytes() == flipped
    bring(tmp_path, Source().read)
    assert (tmp_path / TO.path).read_bytes() == DATA


def test_another_file_of_that_name_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / TO.path).parent.mkdir(parents=True)
    (tmp_path / TO.path).write_bytes(b"somebody's notes")
    with pytest.raises(BadInput, match="is there and is not that file: move it away"):
        bring(tmp_path, Source().read)
    assert (tmp_path / TO.path).read_bytes() == b"somebody's notes"


def test_of_two_that_bring_one_file_the_second_is_told(tmp_path: Path) -> None:
    (tmp_path / TO.partial).parent.mkdir(parents=True)
    with (tmp_path / TO.partial).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="another process is fetching it"):
            bring(tmp_path, Source().read)


def file_link(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True)
    (root / path).symlink_to(root / "outside")


def folder_link(root: Path, path: str) -> None:
    (root / path).parent.parent.mkdir(parents=True)
    (root / path).parent.symlink_to(root)


def top_link(root: Path, path: str) -> None:
    (root / path.split("/", maxsplit=1)[0]).symlink_to(root)


def pipe(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True)
    os.mkfifo(root / path)


def folder(root: Path, path: str) -> None:
    (root / path).mkdir(parents=True)


@pytest.mark.parametrize("path", [TO.path, TO.partial])
@pytest.mark.parametrize("obstacle", [file_link, folder_link, top_link, pipe, folder])
def test_nothing_is_written_through_what_is_no_file(
    tmp_path: Path, obstacle: Callable[[Path, str], None], path: str
) -> None:
    (tmp_path / "outside").write_bytes(b"of somebody else")
    obstacle(tmp_path, path)
    with pytest.raises(BadInput, match=r"in its way|is not that file"):
        bring(tmp_path, Source().read)
    assert (tmp_path / "outside").read_bytes() == b"of somebody else"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "scan"]


def test_a_hostile_name_is_only_a_name(tmp_path: Path) -> None:
    to = Landing(f"a/{HOSTILE}", f"b/{HOSTILE}", f"c/{HOSTILE}")
    bring(tmp_path, Source().read, to)
    assert (tmp_path / "a" / HOSTILE).read_bytes() == DATA


def test_a_name_that_no_file_system_takes_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="File name too long: no such name can be there"):
        bring(tmp_path, Source().read, Landing("a/" + "x" * 256, "b/x", "c/x"))


@pytest.mark.parametrize(
    ("root", "kind", "words"),
    [
        ("/sys/evidence", FolderError, "let this user write there"),
        ("/proc/evidence", BadInput, "it cannot be made there"),
        ("/dev/null", BadInput, "is in its way"),
        ("/dev/null/evidence", BadInput, "is in its way"),
    ],
)
def test_where_no_folder_can_be_made_it_is_told(root: str, kind: type, words: str) -> None:
    with pytest.raises(kind, match=f"{root}/?: .*: .*{words}"):
        Folder(Path(root))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs root: run the tests as root, or in a container")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk_is_told_and_the_next_try_goes_on(small_disk: Path) -> None:
    with pytest.raises(FolderError, match="No space left on device: make room there and fetch"):
        bring(small_disk, Source().read)
    assert not (small_disk / TO.path).exists()
    there = (small_disk / TO.partial).stat().st_size
    assert there > PIECE
    subprocess.run(["mount", "-o", "remount,size=8M", str(small_disk)], check=True)
    source = Source()
    bring(small_disk, source.read)
    assert source.begun == [there]
    assert (small_disk / TO.path).read_bytes() == DATA
