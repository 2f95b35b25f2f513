"""A folder of this machine into which files are brought: under their names only once whole."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from export_pipeline.errors import BadInput, ExportPipelineError, FolderError
from export_pipeline.storage.store import CHUNK_BYTES

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Not blocking: at a pipe that somebody put there, opening would wait for its other end.
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NAME = (BadInput, "no such name can be there: fetch to another file system")
_IN_THE_WAY = (BadInput, "a link, a file or a folder is in its way: move that elsewhere")
_ROOM = (FolderError, "make room there and fetch again, it goes on from here")
_RIGHTS = (FolderError, "let this user write there")
_GENERAL = (FolderError, "see to that disk and fetch again, it goes on from here")
_ADVICE: Mapping[int | None, tuple[type[ExportPipelineError], str]] = {
    errno.ENAMETOOLONG: _NAME,
    errno.EINVAL: _NAME,
    errno.EILSEQ: _NAME,
    errno.ELOOP: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENXIO: _IN_THE_WAY,
    errno.ESPIPE: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOENT: (BadInput, "it cannot be made there, or somebody removed it just now"),
    errno.EWOULDBLOCK: (BadInput, "another process is fetching it: wait for that to end"),
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
}


class Folder:
    """The files below `root`, which is made if need be. Paths are relative, `/`-separated.

    No symbolic link below `root` is followed, so that whoever else may write there cannot lead
    what is brought elsewhere. Each method raises, with what to do:

    * `BadInput`: this one path cannot be used; others may.
    * `FolderError`: nothing can be written: no room, no right to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        with self._explained(""):
            root.mkdir(parents=True, exist_ok=True)

    def sha256(self, path: str) -> tuple[int, str] | None:
        """Size in bytes and lower-case hexadecimal sha256 of the file, None if there is none."""
        try:
            with self._opened(path, os.O_RDONLY, may_lack=True) as file:
                digest = hashlib.sha256()
                return add_file(file, digest.update), digest.hexdigest()
        except FileNotFoundError:
            return None

    def read(self, path: str) -> bytes:
        """The bytes of a small file."""
        read: list[bytes] = []
        with self._opened(path, os.O_RDONLY) as file:
            add_file(file, read.append)
        return b"".join(read)

    @contextmanager
    def appending(self, path: str) -> Iterator[int]:
        """Open the file for reading and for adding to its end, for this process alone."""
        with self._opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, make=True) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file

    def make(self, path: str) -> None:
        """Make the folder at `path`, if it is not there."""
        with self._explained(path), self._parent(f"{path}/", make=True):
            pass

    def rename(self, path: str, target: str) -> None:
        """Give the file another name, in place of the file that may have it."""
        with (
            self._explained(target),
            self._parent(path) as (source, name),
            self._parent(target, make=True) as (folder, new_name),
        ):
            os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=folder)

    def files(self, path: str) -> set[str]:
        """Paths below the folder at `path` of every file in it; none if there is no such folder."""
        found: set[str] = set()
        with self._explained(path), suppress(FileNotFoundError), self._parent(f"{path}/") as at:
            for inside, _, names, _ in os.fwalk(".", dir_fd=at[0]):
                found.update(os.path.normpath(f"{inside}/{name}") for name in names)
        return found

    def prune(self, path: str) -> None:
        """Remove the folder at `path` and those in it, as far as there is nothing in them."""
        with self._explained(path), suppress(FileNotFoundError), self._parent(path) as (at, name):
            for _, folders, _, inside in os.fwalk(name, topdown=False, dir_fd=at):
                _remove_empty(folders, inside)
            _remove_empty([name], at)

    @contextmanager
    def _opened(
        self, path: str, flags: int, *, make: bool = False, may_lack: bool = False
    ) -> Iterator[int]:
        with (
            self._explained(path, may_lack=may_lack),
            self._parent(path, make=make) as (folder, name),
        ):
            file = os.open(name, flags | _FILE, 0o666, dir_fd=folder)
            try:
                yield file
            finally:
                os.close(file)

    @contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder in which the file lies; return it with the file's own name."""
        *folders, name = path.split("/")
        at = os.open(self.root, _FOLDER)
        try:
            for folder in folders:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=at)
                inside = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = inside
            yield at, name
        finally:
            os.close(at)

    @contextmanager
    def _explained(self, path: str, *, may_lack: bool = False) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if may_lack and isinstance(error, FileNotFoundError):
                raise
            kind, advice = _ADVICE.get(error.errno, _GENERAL)
            raise kind(f"{self.root / path}: {error.strerror}: {advice}") from error


def _remove_empty(folders: list[str], inside: int) -> None:
    for name in folders:
        with suppress(OSError):
            os.rmdir(name, dir_fd=inside)


def add_file(file: int, add: Callable[[bytes], object]) -> int:
    """Hand every piece of an open file to `add`, from its beginning; return its size in bytes."""
    size = 0
    while piece := os.pread(file, CHUNK_BYTES, size):
        add(piece)
        size += len(piece)
    return size
