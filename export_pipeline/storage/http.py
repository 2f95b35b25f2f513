"""HTTP for the stores that speak it: one session per event loop, no redirects, stalls noticed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from export_pipeline.errors import StoreError, StoreUnavailable

CONNECTIONS = 128
"""Connections to one store; the workflow asks for fewer at a time."""
STALL_SECONDS = 60.0
"""A call on which no byte moved for so long is given up, whatever its size."""
CONNECT_SECONDS = 10.0
READ_BUFFER_BYTES = 1 << 18


@dataclass(frozen=True)
class Answer:
    """A store's whole answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Http:
    """Sends requests that are signed already, and tells in words why none was answered.

    A session belongs to one event loop, and a store is used by many, one after the other. So each
    loop gets its own, held open by an async generator: ending the loop closes it, as
    `asyncio.run`, uvicorn and Dagster all close the generators of a loop before the loop itself.

    Args:
        stall_seconds: see `STALL_SECONDS`.
    """

    def __init__(self, stall_seconds: float = STALL_SECONDS) -> None:
        self._stall_seconds = stall_seconds

    async def send(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes | memoryview] | None = None,
    ) -> Answer:
        """Send one request and read the whole answer.

        Args:
            verb: the HTTP method.
            url: sent as it is, since a signature covers it.
            headers: all of them; with a body, `Content-Length` too.
            body: in pieces.

        Raises:
            StoreUnavailable: there was no whole answer.
        """
        async with self.answering(verb, url, headers, body) as response:
            return await whole(response)

    @asynccontextmanager
    async def answering(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes | memoryview] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request; the answer's body is read inside.

        Raises:
            StoreUnavailable: there was no answer, or reading it inside broke off.
        """
        session = await self._session()
        used: list[asyncio.Transport] = []
        _used.set(used)
        try:
            async with asyncio.timeout(None) as patience:
                data = None if body is None else _Body(body, patience, self._stall_seconds)
                async with session.request(
                    verb, URL(url, encoded=True), headers=headers, data=data, allow_redirects=False
                ) as response:
                    patience.reschedule(None)
                    yield response
        except BaseException as error:
            # A polite end would wait for a peer that stalls.
            for transport in used:
                transport.abort()
            told = self._told(error, url)
            if told is None:
                raise
            raise told from None

    def _told(self, error: BaseException, url: str) -> StoreError | None:
        """The error in words, None if it is not of the transport."""
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return StoreError(f"{_host(url)} cannot be trusted: {error.certificate_error}")
        if isinstance(error, TimeoutError):
            reason = f"nothing moved for {self._stall_seconds:g} seconds"
            return StoreUnavailable(f"{_host(url)}: {reason}")
        if isinstance(error, aiohttp.ClientError | OSError):
            # aiohttp's errors hold the request, and so its signature: only their words go on.
            reason = f"{type(error).__name__}: {_words(error)}"
            return StoreUnavailable(f"{_host(url)} gave no whole answer: {reason}")
        return None

    async def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if (self, loop) in _held:
            return _held[self, loop].session
        for owner, known in list(_held):
            if known.is_closed():
                _held.pop((owner, known), None)
        holder = self._open()
        # Nothing is awaited before its yield, so no other task of this loop comes between.
        held = _held[self, loop] = _Held(await anext(holder), holder)
        return held.session

    async def _open(self) -> AsyncGenerator[aiohttp.ClientSession, None]:
        async with aiohttp.ClientSession(
            connector=_Connector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            # A stored object is its bytes, whatever encoding they are said to have.
            auto_decompress=False,
            skip_auto_headers=("Content-Type", "User-Agent", "Accept-Encoding"),
            read_bufsize=READ_BUFFER_BYTES,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=self._stall_seconds
            ),
        ) as session:
            yield session


class _Held(NamedTuple):
    session: aiohttp.ClientSession
    holder: AsyncGenerator[aiohttp.ClientSession, None]


_held: dict[tuple[Http, asyncio.AbstractEventLoop], _Held] = {}
"""Whose, and on which loop. Not in the object, as a store may be dropped before its loop ends."""
_used: ContextVar[list[asyncio.Transport]] = ContextVar("used")


class _Connector(aiohttp.TCPConnector):
    """Tells a request which connection it got."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  aiohttp's signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if connection.transport is not None:
            _used.get().append(connection.transport)
        return connection


class _Body(aiohttp.Payload):
    """The pieces of a body; aiohttp's own time limit begins only once all are sent.

    An async generator would do, and makes a small request half as dear again (0.27 ms, not 0.18).
    """

    def __init__(
        self, pieces: Iterable[bytes | memoryview], patience: asyncio.Timeout, stall_seconds: float
    ) -> None:
        super().__init__(pieces)
        self._pieces = pieces
        self._patience = patience
        self._stall_seconds = stall_seconds

    @property
    def consumed(self) -> bool:
        """True: aiohttp is never to send it again by itself, unseen by us."""
        return True

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all pieces, each within the time that a stall may last."""
        clock = asyncio.get_running_loop().time
        for piece in self._pieces:
            self._patience.reschedule(clock() + self._stall_seconds)
            await writer.write(piece)
        self._patience.reschedule(None)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Never asked for: it is of payloads that are text."""
        raise NotImplementedError


def is_overheard(url: str) -> bool:
    """Whether others can read what is sent there: plain HTTP, and not to this machine itself."""
    address = URL(url, encoded=True)
    host = address.host or ""
    if address.scheme != "http" or host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


async def whole(response: aiohttp.ClientResponse) -> Answer:
    """Read an answer to its end."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, await response.read())


def _host(url: str) -> str:
    return URL(url, encoded=True).host_port_subcomponent or "the store"


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or type(error.os_error).__name__
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed"
    return (error.strerror if isinstance(error, OSError) else None) or "no HTTP that makes sense"
