"""The folders that objects lie in: made, and durable before an object in them counts as stored."""

import asyncio

import asyncssh

from export_pipeline.storage.sftp.connection import Link
from export_pipeline.storage.sftp.open_file import OpenFile
from export_pipeline.storage.sftp.words import LOST

MAX_SETTLED_FOLDERS = 10_000


class Folders:
    """Gives files their place, and knows which folders this process has settled.

    Args:
        root: the archive's own folder, which is never made.
        looks_first: whether it must, since the server's rename replaces files.
    """

    def __init__(self, root: str, *, looks_first: bool) -> None:
        self._root = root
        self._looks_first = looks_first
        self._settled: set[str] = set()
        self._settling: dict[tuple[Link, str], asyncio.Task[None]] = {}

    async def publish(self, link: Link, draft: str, path: str) -> None:
        """Give a draft its name, unless that is taken, and make that durable.

        SFTP's rename refuses a name that is taken (draft-ietf-secsh-filexfer-02, 6.5), OpenSSH's
        without telling why. The extension `posix-rename` would replace the file.

        Raises:
            asyncssh.SFTPFileAlreadyExists: it is taken.
            asyncssh.SFTPError: anything else.
        """
        folder = path.rpartition("/")[0]
        await self._settle(link, folder)
        if self._looks_first and await link.sftp.lexists(path):
            raise asyncssh.SFTPFileAlreadyExists("")
        try:
            await link.sftp.rename(draft, path)
        except LOST:
            raise
        except asyncssh.SFTPError:
            # Which error it is differs from server to server, so what is there is looked at.
            await self._publish_anew(link, draft, path)
        await sync_folder(link, folder)

    async def _publish_anew(self, link: Link, draft: str, path: str) -> None:
        folder = path.rpartition("/")[0]
        if await link.sftp.lexists(path):
            # Its writer may have died before this, and the caller will rely on it being there.
            await sync_folder(link, folder)
            raise asyncssh.SFTPFileAlreadyExists("")
        # Perhaps somebody removed the folder by hand since it was settled.
        self._settled.clear()
        await self._settle(link, folder)
        await link.sftp.rename(draft, path)

    async def _settle(self, link: Link, folder: str) -> None:
        """Make the folder and its parents durable; all who ask for it meanwhile wait for the same.

        Also where it exists: another process may have made it and not have synced it yet.
        """
        if folder == self._root or folder in self._settled:
            return
        settling = self._settling.get((link, folder))
        if settling is None:
            settling = asyncio.create_task(self._make(link, folder))
            self._settling[link, folder] = settling
            settling.add_done_callback(lambda _: self._settling.pop((link, folder)))
        await asyncio.shield(settling)

    async def _make(self, link: Link, folder: str) -> None:
        parent = folder.rpartition("/")[0]
        await self._settle(link, parent)
        try:
            await link.sftp.mkdir(folder)
        except asyncssh.SFTPError:
            if not await link.sftp.isdir(folder):
                raise
        await sync_folder(link, parent)
        if len(self._settled) >= MAX_SETTLED_FOLDERS:
            self._settled.clear()
        self._settled.add(folder)


async def remove(link: Link, path: str) -> None:
    """Remove a file, and make that durable; a folder of that name stays."""
    try:
        await link.sftp.remove(path)
    except asyncssh.SFTPError:
        if not await link.sftp.isdir(path):
            raise
    await sync_folder(link, path.rpartition("/")[0])


async def remove_folder(link: Link, path: str) -> None:
    """Remove a folder with all that lies in it, and make that durable."""
    await link.sftp.rmtree(path)
    await sync_folder(link, path.rpartition("/")[0])


async def sync_folder(link: Link, folder: str) -> None:
    """Have the server write a folder to its disk, where it can be asked to.

    SFTP has no request for it. OpenSSH opens a folder like a file, and syncs that; others refuse.
    """
    try:
        async with await OpenFile.open(link, folder or "/", asyncssh.FXF_READ) as opened:
            await opened.sync()
    except LOST:
        raise
    except asyncssh.SFTPError:
        return
