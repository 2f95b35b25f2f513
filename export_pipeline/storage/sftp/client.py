"""Calls to an SFTP server: repeated where that helps, with errors in words."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncssh

from export_pipeline.errors import NotFound
from export_pipeline.storage.retries import Retries
from export_pipeline.storage.sftp.connection import Connections, Link
from export_pipeline.storage.sftp.place import Place
from export_pipeline.storage.sftp.words import Broken, explain, no_folder

Result = TypeVar("Result")


class SftpClient:
    """Calls on one server.

    Args:
        place: the archive's folder there.
        connections: to the server.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        place: Place,
        connections: Connections,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.place = place
        self._connections = connections
        self._retries = Retries(sleep)
        self._has_folder = False

    async def call(
        self, action: str, key: str, operation: Callable[[Link], Awaitable[Result]]
    ) -> Result:
        """Call until it succeeds or an error will not go away.

        Args:
            action: what is done, such as `writing`, for errors.
            key: of the object.
            operation: the requests; done anew on another link where a connection broke.

        Raises:
            MaybeOurs: the object is there, and this was not the first try.
            NotFound: it is not, and the archive's folder is.
            StoreError: see `words.explain`.
        """
        try:
            return await self._retries.call(lambda: self.call_once(action, key, operation))
        except NotFound:
            await self._require_folder()
            raise

    async def call_once(
        self, action: str, key: str, operation: Callable[[Link], Awaitable[Result]]
    ) -> Result:
        """Call a single time; see `call`."""
        link = await self._connections.link()
        try:
            return await link.answer(operation(link))
        except (asyncssh.Error, OSError) as error:
            told = explain(error, self.place, action, key, await self._room(link, error))
            if told.transient:
                link.drop()
            raise told from error

    async def _require_folder(self) -> None:
        """Tell a missing archive from a missing object, once."""
        path = self.place.folder or "/"
        if not self._has_folder:
            self._has_folder = await self.call("looking at", "", lambda link: link.sftp.isdir(path))
        if not self._has_folder:
            raise no_folder(self.place)

    async def _room(self, link: Link, error: Broken) -> int | None:
        """Ask for the free bytes where a failure tells no reason, as OpenSSH's do not."""
        if not isinstance(error, asyncssh.SFTPFailure):
            return None
        try:
            disk = await link.answer(link.sftp.statvfs(self.place.folder or "/"))
        except (asyncssh.Error, OSError):
            return None
        return disk.bavail * disk.frsize if disk.favail or not disk.files else 0
