"""An open file on the server, opened again on the next connection where one broke."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self, TypeVar

import asyncssh

from export_pipeline.storage.sftp.client import SftpClient
from export_pipeline.storage.sftp.connection import Link
from export_pipeline.storage.sftp.open_file import OpenFile

PIECES_IN_FLIGHT = 4
"""Pieces of one file on their way at once, each of `CHUNK_BYTES`."""

Result = TypeVar("Result")


class RemoteFile:
    """A file whose every request names its own offset, so that it may be sent again.

    Args:
        client: calls the server.
        key: of the object, for errors.
        opener: opens the file on one connection.
    """

    def __init__(
        self,
        client: SftpClient,
        key: str,
        opener: Callable[[Link], Awaitable[OpenFile]],
    ) -> None:
        self._client = client
        self._key = key
        self._opener = opener
        self._lock = asyncio.Lock()
        self._opened: OpenFile | None = None

    async def call(self, action: str, use: Callable[[OpenFile], Awaitable[Result]]) -> Result:
        """Do something with the open file; see `SftpClient.call`."""

        async def operation(link: Link) -> Result:
            return await use(await self.on(link))

        return await self._client.call(action, self._key, operation)

    async def size(self) -> int:
        """Ask how many bytes it has."""
        return await self.call("reading", lambda opened: opened.size())

    async def on(self, link: Link) -> OpenFile:
        """Return the file as it is open on one connection."""
        async with self._lock:
            if self._opened is None or self._opened.link is not link:
                self._opened = await self._opener(link)
            return self._opened

    async def close(self) -> None:
        """Close the file; where the connection broke, that has closed it."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(asyncssh.Error, OSError):
                await opened.link.answer(opened.file.close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
