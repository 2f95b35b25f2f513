"""Reading a file from an offset, several pieces ahead, going on where a connection broke."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import asyncssh

from export_pipeline.concurrency import concurrently
from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline.storage.parts import split
from export_pipeline.storage.sftp.client import SftpClient
from export_pipeline.storage.sftp.connection import Link
from export_pipeline.storage.sftp.listing import is_file
from export_pipeline.storage.sftp.open_file import OpenFile
from export_pipeline.storage.sftp.remote_file import PIECES_IN_FLIGHT, RemoteFile
from export_pipeline.storage.store import CHUNK_BYTES

Digests = list[bytes]
"""The sha256 of each `CHUNK_BYTES` of a file."""


def original(client: SftpClient, path: str, key: str) -> RemoteFile:
    """Return the file at `path` for reading; opened again, it must still be the same one."""
    versions: set[tuple[int | None, int | None]] = set()

    async def opened(link: Link) -> OpenFile:
        found = await link.sftp.lstat(path)
        # OpenSSH would open a folder like a file.
        if not is_file(found):
            raise asyncssh.SFTPNoSuchFile("it is not a file")
        versions.add((found.size, found.mtime))
        if len(versions) > 1:
            raise StoreError(f"{key!r} was replaced by another object while it was read")
        return await OpenFile.open(link, path, asyncssh.FXF_READ)

    return RemoteFile(client, key, opened)


async def read(file: RemoteFile, key: str, offset: int = 0) -> AsyncGenerator[bytes, None]:
    """Yield the file's bytes from `offset` in pieces of `CHUNK_BYTES`; nothing if it has no more.

    Raises:
        StoreUnavailable: it has fewer bytes than it had at first.
        StoreError: see `SftpClient.call` and `original`.
    """
    end = await file.size()

    async def piece(begin: int) -> bytes:
        size = min(CHUNK_BYTES, end - begin)
        data = await file.call("reading", lambda opened: opened.read(size, begin))
        if len(data) != size:
            raise StoreUnavailable(f"{key!r} ended at byte {begin + len(data)} of {end}")
        return data

    async with aclosing(concurrently(piece, _steps(offset, end), PIECES_IN_FLIGHT)) as pieces:
        async for data in pieces:
            yield data


async def digests(file: RemoteFile, key: str) -> Digests:
    """Read a file whole, and return its digests."""
    async with aclosing(split(read(file, key), CHUNK_BYTES)) as parts:
        return [part.sha256 async for part in parts]


async def _steps(offset: int, end: int) -> AsyncIterator[int]:
    for begin in range(offset, end, CHUNK_BYTES):
        yield begin
