"""One SSH connection with one SFTP session for each event loop, made anew after it broke."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import TypeVar

import asyncssh

from export_pipeline.errors import ConfigError, StoreError
from export_pipeline.storage.sftp.place import Login, Place
from export_pipeline.storage.sftp.trust import Handshake, Trust
from export_pipeline.storage.sftp.words import explain_login

CONNECT_SECONDS = 30.0
"""To reach the server, log in and begin SFTP."""
STALL_SECONDS = 60.0
"""A connection that owes answers and gives none for so long is given up."""
KEEPALIVE_SECONDS = 15.0
"""After such silence a sign of life is asked for, so that no firewall forgets the connection."""
FAREWELL_SECONDS = 1.0
"""What still waits for an answer when its event loop ends is told after so long."""
CIPHERS = "^aes256-gcm@openssh.com,aes128-gcm@openssh.com"
"""Asked for before all others: measured, they cost half the CPU time of asyncssh's first choice."""

Result = TypeVar("Result")


class Link:
    """A connection with its SFTP session.

    Args:
        connection: the SSH connection.
        sftp: the session on it.
        stall_seconds: see `STALL_SECONDS`.
    """

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        sftp: asyncssh.SFTPClient,
        stall_seconds: float,
    ) -> None:
        self.sftp = sftp
        self.is_broken = False
        self._connection = connection
        self._stall_seconds = stall_seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Timeout] = set()
        self._moved_at = 0.0

    async def answer(self, request: Awaitable[Result]) -> Result:
        """Wait for an answer, as long as the connection gives answers to anybody.

        Raises:
            TimeoutError: it was dropped.
            asyncssh.Error, OSError: what asyncssh raises.
        """
        if not self._waiting:
            self.moved()
        async with asyncio.timeout(0 if self.is_broken else None) as patience:
            self._waiting.add(patience)
            try:
                return await request
            finally:
                self._waiting.discard(patience)
                self.moved()

    def moved(self) -> None:
        """Note that an answer came, where one request has many."""
        self._moved_at = self._loop.time()

    async def watch(self) -> None:
        """Drop a connection that stalls."""
        try:
            while not self.is_broken:
                await asyncio.sleep(self._stall_seconds / 4)
                silent = self._loop.time() - self._moved_at
                if self._waiting and silent >= self._stall_seconds:
                    self.drop()
        finally:
            # If the loop ends, it ends asyncssh's own tasks as well, and no answer comes any more.
            self._loop.call_later(FAREWELL_SECONDS, self.drop)

    def drop(self) -> None:
        """Break the connection off, and tell all who wait for an answer."""
        if self.is_broken:
            return
        self.is_broken = True
        self._connection.abort()
        for patience in self._waiting:
            patience.reschedule(self._loop.time())


class Connections:
    """Links to one server, one for each event loop.

    A connection belongs to one event loop, and a store is used by many, one after the other. So
    each loop's is held open by an async generator, as `storage/http.py` does: ending the loop
    closes it.

    Args:
        place: the server.
        login: how the user is let in.
        trust: which host keys are known.
        stall_seconds: see `STALL_SECONDS`.
    """

    def __init__(self, place: Place, login: Login, trust: Trust, stall_seconds: float) -> None:
        self._place = place
        self._login = login
        self._trust = trust
        self._stall_seconds = stall_seconds
        self._links: dict[asyncio.AbstractEventLoop, asyncio.Task[Link]] = {}

    async def link(self) -> Link:
        """Return this loop's link. All who ask while it is made share it, or its failure.

        Raises:
            StoreError: there is no connection, see `explain_login`; or a key cannot be read.
        """
        loop = asyncio.get_running_loop()
        opening = self._links.get(loop)
        if opening is None or _is_over(opening):
            opening = self._links[loop] = loop.create_task(self._open(loop))
        # One who gives up waiting does not take it from the others.
        return await asyncio.shield(opening)

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Link:
        for owner, known in list(_held):
            if known.is_closed():
                _held.pop((owner, known), None)
                self._links.pop(known, None)
        if (self, loop) in _held:
            await _held[self, loop].aclose()
        holder = _held[self, loop] = self._hold()
        return await anext(holder)

    async def _hold(self) -> AsyncGenerator[Link, None]:
        try:
            seen = Handshake(await asyncio.to_thread(self._trust.known))
            login = await asyncio.to_thread(self._login.arguments)
        except ConfigError as error:
            # Found as late as this, it is the end of one call and not of the whole program.
            raise StoreError(str(error)) from None
        try:
            async with asyncssh.connect(
                self._place.host,
                self._place.port,
                config=None,
                username=self._place.user,
                encryption_algs=CIPHERS,
                connect_timeout=CONNECT_SECONDS,
                keepalive_interval=KEEPALIVE_SECONDS,
                **seen.arguments(self._place.host, self._place.port),
                **login,
            ) as connection:
                async with asyncio.timeout(CONNECT_SECONDS):
                    sftp = await connection.start_sftp_client(path_errors="surrogateescape")
                link = Link(connection, sftp, self._stall_seconds)
                watching = asyncio.create_task(link.watch())
                try:
                    yield link
                finally:
                    watching.cancel()
        except (asyncssh.Error, OSError) as error:
            raise explain_login(error, self._place, self._login, self._trust, seen) from error


_held: dict[tuple[Connections, asyncio.AbstractEventLoop], AsyncGenerator[Link, None]] = {}
"""Whose, and on which loop. Not in the object, as a store may be dropped before its loop ends."""


def _is_over(opening: asyncio.Task[Link]) -> bool:
    if not opening.done():
        return False
    return opening.cancelled() or opening.exception() is not None or opening.result().is_broken
