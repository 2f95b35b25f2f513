"""A file as it is open on one connection."""

import asyncio
from contextlib import suppress
from typing import Self

import asyncssh

from export_pipeline.storage.sftp.connection import Link


class OpenFile:
    """Reads and writes in requests as large as the server takes, all of a piece at once.

    asyncssh would do that as well, but leaves tasks behind whose errors nobody takes when it is
    interrupted; so it is asked for single requests.

    Args:
        link: the connection.
        file: opened on it.
    """

    def __init__(self, link: Link, file: asyncssh.SFTPClientFile) -> None:
        self.link = link
        self.file = file

    @classmethod
    async def open(cls, link: Link, path: str, flags: int) -> Self:
        """Open the file at `path`; see asyncssh's `SFTPClient.open`."""
        return cls(link, await link.sftp.open(path, flags, encoding=None, block_size=0))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.file.close()

    async def size(self) -> int:
        """Ask how many bytes it has."""
        return (await self.file.stat()).size or 0

    async def write(self, data: bytes, offset: int) -> None:
        """Write all of `data`."""
        most = self.link.sftp.limits.max_write_len
        starts = range(0, len(data), most)
        await asyncio.gather(
            *(self._write(data[start : start + most], offset + start) for start in starts)
        )

    async def read(self, size: int, offset: int) -> bytes:
        """Read `size` bytes, or fewer if the file ends before."""
        most = self.link.sftp.limits.max_read_len
        starts = range(0, size, most)
        blocks = await asyncio.gather(
            *(self._read(min(most, size - start), offset + start) for start in starts)
        )
        return b"".join(blocks)

    async def sync(self) -> None:
        """Have the server write it to its disk, where it can be asked to."""
        with suppress(asyncssh.SFTPOpUnsupported):
            await self.file.fsync()

    async def _write(self, block: bytes, offset: int) -> None:
        await self.file.write(block, offset)
        self.link.moved()

    async def _read(self, size: int, offset: int) -> bytes:
        """Read a block, of which a server may give less at a time than it was asked for."""
        block = b""
        while len(block) < size:
            more: bytes = await self.file.read(size - len(block), offset + len(block))
            self.link.moved()
            if not more:
                break
            block += more
        return block
