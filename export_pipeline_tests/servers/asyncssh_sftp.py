"""An SFTP server within the tests' own process: with passwords, and with faults at will."""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import asyncssh

from export_pipeline_tests.servers.sshd import LOOPBACK, SftpServer

USER = "archivist"
PASSWORD = "a-password-of-the-tests-that-nothing-may-show"


@dataclass
class Faults:
    """What goes wrong with requests from now on.

    Args:
        errors: request -> what it is answered.
        hanging: requests that are never answered.
        is_altering: a write stores other bytes than were sent.
        is_replacing: a rename replaces the file that has the name, as some servers' does.
        requests: names of those that came.
        connections: how many were made.
        opened: files; asyncssh leaves one open whose connection breaks in the midst of a request.
    """

    errors: dict[str, Exception] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    is_altering: bool = False
    is_replacing: bool = False
    requests: list[str] = field(default_factory=list)
    connections: int = 0
    opened: list[IO[bytes]] = field(default_factory=list)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def strike(self, request: str) -> None:
        """Do what is to happen to a request."""
        self.requests.append(request)
        if request in self.hanging:
            await self._ended.wait()
        if request in self.errors:
            raise self.errors[request]

    def end(self) -> None:
        """Let go of what hangs, and close what was left open."""
        self._ended.set()
        for file in self.opened:
            file.close()


class _Files(asyncssh.SFTPServer):
    def __init__(self, channel: asyncssh.SSHServerChannel, root: Path, faults: Faults) -> None:
        super().__init__(channel, chroot=str(root).encode())
        self._faults = faults

    async def open(self, path, pflags, attrs):
        await self._faults.strike("open")
        file = super().open(path, pflags, attrs)
        self._faults.opened.append(file)
        return file

    async def write(self, file_obj, offset, data):
        await self._faults.strike("write")
        stored = bytes(len(data)) if self._faults.is_altering else data
        return super().write(file_obj, offset, stored)

    async def fsync(self, file_obj):
        await self._faults.strike("fsync")
        return super().fsync(file_obj)

    async def rename(self, oldpath, newpath):
        await self._faults.strike("rename")
        if self._faults.is_replacing:
            return super().posix_rename(oldpath, newpath)
        return super().rename(oldpath, newpath)

    async def mkdir(self, path, attrs):
        await self._faults.strike("mkdir")
        return super().mkdir(path, attrs)

    async def remove(self, path):
        await self._faults.strike("remove")
        return super().remove(path)


class _Logins(asyncssh.SSHServer):
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._faults.connections += 1

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@contextmanager
def running_asyncssh(*, has_sftp: bool = True) -> Iterator[tuple[SftpServer, Faults]]:
    """Run a server in a thread of its own, on a free port."""
    host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    faults = Faults()
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve(root: Path) -> None:
        stop = asyncio.Event()
        async with asyncssh.listen(
            LOOPBACK,
            0,
            server_factory=lambda: _Logins(faults),
            server_host_keys=[host],
            authorized_client_keys=asyncssh.import_authorized_keys(
                client.export_public_key().decode()
            ),
            sftp_factory=(lambda channel: _Files(channel, root, faults)) if has_sftp else None,
        ) as listener:
            started.set_result((listener.get_port(), asyncio.get_running_loop(), stop))
            await stop.wait()
            faults.end()

    with tempfile.TemporaryDirectory(prefix="asyncssh-") as folder:
        files = Path(folder)
        thread = threading.Thread(target=asyncio.run, args=(serve(files),), name="asyncssh")
        thread.start()
        port, loop, stop = started.result()
        server = SftpServer(
            port=port,
            user=USER,
            files=files,
            root="",
            host_key=host.export_public_key().decode(),
            private_key=client.export_private_key().decode(),
        )
        try:
            yield server, faults
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
