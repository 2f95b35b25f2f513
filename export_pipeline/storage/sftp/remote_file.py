"""An open file on the server, opened again on the next connection where one broke."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Self, TypeVar

import asyncssh

from export_pipeline.storage.sftp.client import SftpClient
from export_pipeline.storage.sftp.connection import Link
from export_pipeline.storage.sftp.open_file import OpenFile

PIECES_IN_FLIGHT = 4
"""Pieces of one file on their way at once, each of `CHUNK_BYTES`."""

Item = TypeVar("Item")
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


async def concurrently(
    function: Callable[[Item], Coroutine[Any, Any, Result]], items: AsyncIterable[Item]
) -> AsyncGenerator[Result, None]:
    """Yield `function` of each item in order of the items, `PIECES_IN_FLIGHT` at once."""
    running: deque[asyncio.Task[Result]] = deque()
    try:
        async for item in items:
            if len(running) == PIECES_IN_FLIGHT:
                yield await running.popleft()
            running.append(asyncio.create_task(function(item)))
            # Held by its task alone, so that its memory is free as soon as it is done.
            del item
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
