"""The store on local disk: whole files only, each under a name that is taken once."""

# ruff: noqa: ARG002 - the signatures are those of `Store`; a disk needs less of them.

import asyncio
import errno
import os
import secrets
import shutil
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG

from export_pipeline.errors import AccessDenied, AlreadyExists, NotFound, StoreError, StoreFull
from export_pipeline.storage.keys import require_key, require_prefix
from export_pipeline.storage.settled_folders import SettledFolders, sync_folder
from export_pipeline.storage.store import CHUNK_BYTES, Capabilities, StoredObject, UploadTarget
from export_pipeline.storage.versions import Versionless

DRAFTS = ".unfinished"
"""The store's own folder, of which `list` tells nothing and which only `sweep` empties."""
_TOKEN_BYTES = 16
_ADVICE: Mapping[int | None, tuple[type[StoreError], str]] = {
    errno.ENOSPC: (StoreFull, "make room on that disk"),
    errno.EDQUOT: (StoreFull, "raise this user's disk quota"),
    errno.EACCES: (AccessDenied, "let this user read and write there"),
    errno.EPERM: (AccessDenied, "let this user write there, on a file system with hard links"),
    errno.EROFS: (AccessDenied, "mount that file system for writing"),
}
_GENERAL = (StoreError, "check that disk")
_NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def _token() -> str:
    return secrets.token_hex(_TOKEN_BYTES)


class LocalStore(Versionless):
    """Objects as files below `root`, which is made at the first write.

    A file is written and synced under `.unfinished/`, then hard-linked to its name, which fails if
    the name is taken, and the folder is synced. Files are never opened across two hops to a
    thread, so a cancelled call leaves nothing behind but, at worst, a leftover for `sweep`.

    Args:
        root: the folder, on a file system with hard links.
        token: gives a new name for each temporary file.
    """

    capabilities = Capabilities(
        create_only=True, signs_uploads=False, signs_downloads=False, lists=True
    )

    def __init__(self, root: Path, *, token: Callable[[], str] = _token) -> None:
        self._root = root.absolute()
        self._drafts = self._root / DRAFTS
        self._token = token
        self._folders = SettledFolders(self._root)
        self.url = self._root.as_uri()

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        """See `Store.put`; a file below `CHUNK_BYTES` costs one hop to a thread."""
        path = self._path(key)
        temporary = self._drafts / self._token()
        held: list[bytes] = []
        held_bytes = 0
        begun = False
        try:
            async for chunk in chunks:
                held.append(chunk)
                held_bytes += len(chunk)
                if held_bytes >= CHUNK_BYTES:
                    await asyncio.to_thread(
                        self._append, key, temporary, b"".join(held), begun=begun
                    )
                    held, held_bytes, begun = [], 0, True
            return await asyncio.to_thread(
                self._publish, key, temporary, b"".join(held), path, begun=begun
            )
        except BaseException:
            # What failed is worth telling; a leftover is not, and `sweep` takes it.
            with suppress(OSError):
                temporary.unlink()
            raise

    async def stat(self, key: str) -> StoredObject | None:
        """See `Store.stat`."""
        return await asyncio.to_thread(self._stat, key, self._path(key))

    async def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        """See `Store.open`; a file below `CHUNK_BYTES` costs one hop to a thread."""
        path = self._path(key)
        piece = await asyncio.to_thread(self._read, key, path, offset)
        while piece:
            yield piece
            if len(piece) < CHUNK_BYTES:
                return
            offset += len(piece)
            piece = await asyncio.to_thread(self._read, key, path, offset)

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """See `Store.list`; holds one folder's names at a time for each level."""
        folder, slash, _ = require_prefix(prefix).rpartition("/")
        pending: deque[StoredObject | str] = deque([folder + slash])
        while pending:
            found = pending.popleft()
            if isinstance(found, StoredObject):
                yield found
            else:
                inside = await asyncio.to_thread(self._scan, found, prefix)
                pending.extendleft(reversed(inside))

    async def copy(self, source: str, target: str) -> StoredObject:
        """See `Store.copy`; the copy is a hard link, since stored bytes never change."""
        return await asyncio.to_thread(self._copy, source, target)

    async def delete(self, key: str) -> None:
        """See `Store.delete`; folders stay, as a put may be about to link into them."""
        await asyncio.to_thread(self._delete, key, self._path(key))

    async def erase(self, key: str) -> int:
        """See `Store.erase`; a folder goes with its name."""
        erased = await super().erase(key)
        if key.endswith("/"):
            folder = self._root / require_prefix(key)
            await asyncio.to_thread(self._remove_folder, key, folder)
        return erased

    def sign_upload(self, key: str, *, seconds: float, typed: bool = True) -> UploadTarget | None:
        """None: a disk has no URLs."""
        return None

    def sign_download(self, key: str, *, seconds: float) -> str | None:
        """None: a disk has no URLs."""
        return None

    def cloudconvert(self, key: str) -> tuple[str, Mapping[str, object]] | None:
        """None: CloudConvert cannot reach a disk."""
        return None

    async def sweep(self, older_than_seconds: float, now: float) -> int:
        """Remove what crashed writers left under `.unfinished/`; return how many files.

        Args:
            older_than_seconds: time since the last write to a file, to spare running uploads.
            now: seconds since the epoch.
        """
        return await asyncio.to_thread(self._sweep, now - older_than_seconds)

    def _path(self, key: str) -> Path:
        if require_key(key).split("/", 1)[0] == DRAFTS:
            raise StoreError(f"{key!r} is not a key: {DRAFTS}/ holds files not yet whole")
        return self._root / key

    def _append(self, key: str, temporary: Path, data: bytes, *, begun: bool) -> None:
        with self._explained(key, temporary), self._opened(temporary, begun=begun) as file:
            _write(file, data)

    def _publish(
        self, key: str, temporary: Path, data: bytes, path: Path, *, begun: bool
    ) -> StoredObject:
        with self._explained(key, path):
            with self._opened(temporary, begun=begun) as file:
                _write(file, data)
                os.fsync(file)
                size = os.fstat(file).st_size
            self._link(key, temporary, path)
            temporary.unlink()
        return StoredObject(key, size)

    @contextmanager
    def _opened(self, temporary: Path, *, begun: bool) -> Iterator[int]:
        if not begun:
            self._drafts.mkdir(parents=True, exist_ok=True)
        # Exclusive, so that bytes are never added to a leftover of the same name.
        flags = os.O_APPEND if begun else os.O_CREAT | os.O_EXCL
        file = os.open(temporary, os.O_WRONLY | os.O_CLOEXEC | flags, 0o666)
        try:
            yield file
        finally:
            os.close(file)

    def _link(self, key: str, source: Path, path: Path) -> None:
        try:
            self._folders.link(source, path)
        except FileExistsError:
            raise AlreadyExists(f"{key!r} is in {self.url} already; it was left as it is") from None

    def _stat(self, key: str, path: Path) -> StoredObject | None:
        with self._explained(key, path):
            try:
                status = path.stat()
            except _NO_FILE:
                return None
        return StoredObject(key, status.st_size) if S_ISREG(status.st_mode) else None

    def _read(self, key: str, path: Path, offset: int) -> bytes:
        with self._explained(key, path):
            try:
                with path.open("rb", buffering=0) as file:
                    file.seek(offset)
                    return file.read(CHUNK_BYTES)
            except _NO_FILE:
                raise NotFound(f"there is no {key!r} in {self.url}") from None

    def _scan(self, folder: str, prefix: str) -> tuple[StoredObject | str, ...]:
        """Return the folder's files and, as keys that end in `/`, its folders, in order of key."""
        found: dict[str, StoredObject | str] = {}
        with self._explained(folder, self._root / folder), suppress(*_NO_FILE):
            for entry in os.scandir(self._root / folder):
                is_folder = entry.is_dir(follow_symlinks=False)
                key = folder + entry.name + ("/" if is_folder else "")
                if key.startswith(DRAFTS + "/"):
                    continue
                if is_folder and _overlap(key, prefix):
                    found[key] = key
                elif key.startswith(prefix) and entry.is_file(follow_symlinks=False):
                    found[key] = StoredObject(key, entry.stat().st_size)
        return tuple(found[key] for key in sorted(found))

    def _copy(self, source: str, target: str) -> StoredObject:
        known = self._stat(source, self._path(source))
        if known is None:
            raise NotFound(f"there is no {source!r} in {self.url} to copy to {target!r}")
        path = self._path(target)
        with self._explained(target, path):
            self._link(target, self._path(source), path)
        return StoredObject(target, known.size)

    def _delete(self, key: str, path: Path) -> None:
        with self._explained(key, path), suppress(*_NO_FILE):
            path.unlink()
            sync_folder(path.parent)

    def _remove_folder(self, key: str, folder: Path) -> None:
        with self._explained(key, folder), suppress(*_NO_FILE):
            shutil.rmtree(folder)
            sync_folder(folder.parent)

    def _sweep(self, before: float) -> int:
        removed = 0
        with self._explained(DRAFTS, self._drafts), suppress(FileNotFoundError):
            for entry in os.scandir(self._drafts):
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < before:
                        Path(entry).unlink()
                        removed += 1
        return removed

    @contextmanager
    def _explained(self, key: str, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kind, advice = _ADVICE.get(error.errno, _GENERAL)
            why = error.strerror or type(error).__name__
            raise kind(f"{self.url} failed at {key!r} ({path}): {why}; {advice}") from error


def _overlap(folder: str, prefix: str) -> bool:
    return folder.startswith(prefix) or prefix.startswith(folder)


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
