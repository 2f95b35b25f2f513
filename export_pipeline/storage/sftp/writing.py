"""A draft: a file without a key, which gets one only once it is whole and checked."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import asyncssh

from export_pipeline.concurrency import concurrently
from export_pipeline.errors import NotFound, StoreError, StoreUnavailable
from export_pipeline.storage.parts import Part
from export_pipeline.storage.sftp.client import SftpClient
from export_pipeline.storage.sftp.connection import Link
from export_pipeline.storage.sftp.open_file import OpenFile
from export_pipeline.storage.sftp.remote_file import PIECES_IN_FLIGHT, RemoteFile

COPY_BYTES = 64 * 1024**2
"""Bytes that the server copies in one request, which must not take it `STALL_SECONDS`."""
_WRITABLE = asyncssh.FXF_READ | asyncssh.FXF_WRITE | asyncssh.FXF_CREAT


@asynccontextmanager
async def drafted(client: SftpClient, key: str, path: str) -> AsyncIterator[RemoteFile]:
    """Begin a draft; remove it if anything inside fails.

    Args:
        key: of the object that it becomes.
        path: one that nobody else uses; its folder is made.
    """

    async def opened(link: Link) -> OpenFile:
        try:
            return await OpenFile.open(link, path, _WRITABLE)
        except asyncssh.SFTPNoSuchFile:
            # Another writer may make it at the same time.
            with suppress(asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
                await link.sftp.mkdir(path.rpartition("/")[0])
            return await OpenFile.open(link, path, _WRITABLE)

    file = RemoteFile(client, key, opened)
    try:
        yield file
    except BaseException as error:
        await file.close()
        await _remove_for(error, client, key, path)
        raise


async def write(file: RemoteFile, parts: AsyncIterator[Part]) -> list[Part]:
    """Send the parts, some at once; return each without its bytes."""
    known: list[Part] = []

    async def positioned() -> AsyncGenerator[tuple[int, Part], None]:
        position = 0
        async for part in parts:
            known.append(part.without_bytes())
            yield position, part
            position += part.size

    async def send(item: tuple[int, Part]) -> None:
        position, data = item[0], b"".join(item[1])
        await file.call("writing", lambda opened: opened.write(data, position))

    async with aclosing(concurrently(send, positioned(), PIECES_IN_FLIGHT)) as sent:
        async for _ in sent:
            pass
    return known


async def copy(client: SftpClient, key: str, source: RemoteFile, draft: RemoteFile) -> int:
    """Have the server copy a file into a draft, some at a time; return its size.

    Args:
        key: of the object that the draft becomes.

    Raises:
        StoreUnavailable: not all of it is there.
    """
    size = await source.size()
    for begin in range(0, size, COPY_BYTES):

        async def part(link: Link, begin: int = begin) -> None:
            length = min(COPY_BYTES, size - begin)
            ends = (await source.on(link)).file, (await draft.on(link)).file
            await link.sftp.remote_copy(*ends, begin, length, begin)

        await client.call("copying", key, part)
    if await draft.size() != size:
        raise StoreUnavailable(f"{key!r} was not copied whole")
    return size


async def _remove_for(cause: BaseException, client: SftpClient, key: str, path: str) -> None:
    try:
        await client.call_once("removing", key, lambda link: link.sftp.remove(path))
    except NotFound:
        return
    except StoreError as error:
        # The first error is the one to tell; this one rides along.
        cause.add_note(f"what was written of it was left for a sweep, {error}")
