"""A TCP proxy that cuts, resets and stalls; and an HTTP gate that answers instead of the server."""

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias
from urllib.parse import urlsplit

import aiohttp
from starlette.types import Receive, Scope, Send
from yarl import URL

from export_pipeline_tests.servers.receiver import running

LOOPBACK = "127.0.0.1"
ALTERED_BYTES = 50_000
"""A body of so many bytes is an object's; a shorter one may be a list of parts."""


@dataclass
class FaultProxy:
    """What goes wrong on the next connections; each fault hits `times` of them and is then over.

    Args:
        url: of the proxy.
        cut_upload_at: bytes towards the server after which the connection is reset.
        cut_answer_at: bytes from the server after which the connection is reset.
        stall_upload_at: bytes towards the server after which nothing moves until `let_go`.
        stall_answer_at: bytes from the server after which nothing does.
        change_upload_at: the byte towards the server that arrives as another.
        reset: the connection is reset as soon as it is made.
        times: connections that are still to be hit.
        hits: connections that were.
    """

    url: str = ""
    cut_upload_at: int | None = None
    cut_answer_at: int | None = None
    stall_upload_at: int | None = None
    stall_answer_at: int | None = None
    change_upload_at: int | None = None
    reset: bool = False
    times: int = 0
    hits: int = 0
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def strike(self, times: int, **faults: int) -> None:
        """Let these faults hit so many of the next connections."""
        for name, value in faults.items():
            setattr(self, name, value)
        self.times = times

    async def handle(
        self, upstream: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Pass one connection on, until a fault."""
        if self.reset and self._hit():
            _reset(writer)
            return
        there, back = await asyncio.open_connection(LOOPBACK, upstream)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back, writer, is_upload=True))
                group.create_task(self._pass(there, writer, back, is_upload=False))
            for sink in (writer, back):
                with suppress(OSError):
                    await sink.wait_closed()
        finally:
            writer.transport.abort()
            back.transport.abort()

    async def _pass(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        other: asyncio.StreamWriter,
        *,
        is_upload: bool,
    ) -> None:
        passed = 0
        with suppress(OSError):
            while data := await source.read(65_536):
                passed += len(data)
                limit = self.cut_upload_at if is_upload else self.cut_answer_at
                if limit is not None and passed > limit and self._hit():
                    _reset(sink)
                    _reset(other)
                    return
                if self._stalls(passed, is_upload=is_upload):
                    await self._ended.wait()
                    _reset(sink)
                    _reset(other)
                    return
                sink.write(self._changed(data, passed) if is_upload else data)
                await sink.drain()
        sink.close()

    def _stalls(self, passed: int, *, is_upload: bool) -> bool:
        limit = self.stall_upload_at if is_upload else self.stall_answer_at
        return limit is not None and passed > limit and self._hit()

    def _changed(self, data: bytes, passed: int) -> bytes:
        if self.change_upload_at is None:
            return data
        at = self.change_upload_at - (passed - len(data))
        if not (0 <= at < len(data) and self._hit()):
            return data
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    def _hit(self) -> bool:
        if self.times <= 0:
            return False
        self.times -= 1
        self.hits += 1
        return True

    def let_go(self) -> None:
        """Reset the connections that stall; from any thread."""
        self._loop.call_soon_threadsafe(self._ended.set)


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def running_fault_proxy(url: str) -> Iterator[FaultProxy]:
    """Run a proxy before the server at `url`, in a thread of its own."""
    upstream = urlsplit(url).port
    assert upstream is not None
    started: Future[tuple[asyncio.AbstractEventLoop, FaultProxy, asyncio.Event]] = Future()

    async def serve() -> None:
        proxy, stop = FaultProxy(), asyncio.Event()
        server = await asyncio.start_server(
            lambda reader, writer: proxy.handle(upstream, reader, writer), LOOPBACK, 0
        )
        proxy.url = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
        started.set_result((asyncio.get_running_loop(), proxy, stop))
        await stop.wait()
        proxy.let_go()
        server.close()
        handling = asyncio.all_tasks() - {asyncio.current_task()}
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="fault proxy")
    thread.start()
    loop, proxy, stop = started.result()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


Answer: TypeAlias = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class Fate(Enum):
    """What becomes of a request that gets no scripted answer."""

    PASSED = "passed on"
    LOST = "passed on, and its answer lost: 500 is heard"


@dataclass
class Gate:
    """An ASGI app before a server: answers what is scripted, then passes requests on.

    Args:
        upstream: the server's URL.
        answers: of the next requests, in turn.
        dropped: names of headers that are taken out of the server's answers.
        misstate: makes another answer of each that the server gives.
        is_altering: bodies of `ALTERED_BYTES` and more arrive with another byte in their middle.
        requests: what came: verb and path.
        url: of the gate.
    """

    upstream: str
    answers: list[Answer | Fate] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    misstate: Callable[[Answer], Answer] | None = None
    is_altering: bool = False
    requests: list[str] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = await _body_of(receive)
        self.requests.append(f"{scope['method']} {scope['path']}")
        status, headers, content = await self._answer(scope, body)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (name.encode(), value.encode())
                    for name, value in headers.items()
                    if name.lower() not in self.dropped
                ],
            }
        )
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Scope, body: bytes) -> Answer:
        scripted = self.answers.pop(0) if self.answers else Fate.PASSED
        if not isinstance(scripted, Fate):
            return scripted
        if self.is_altering and len(body) >= ALTERED_BYTES:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        answer = await self._passed_on(scope, body)
        if scripted is Fate.LOST:
            return 500, {}, b""
        return self.misstate(answer) if self.misstate else answer

    async def _passed_on(self, scope: Scope, body: bytes) -> Answer:
        query = scope["query_string"].decode()
        url = self.upstream + scope["raw_path"].decode() + (f"?{query}" if query else "")
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                scope["method"],
                URL(url, encoded=True),
                headers=headers,
                data=_piecewise(body),
                skip_auto_headers=("Content-Type", "Accept-Encoding"),
                allow_redirects=False,
            ) as response,
        ):
            kept = {
                name: value
                for name, value in response.headers.items()
                if name.lower() not in {"transfer-encoding", "connection"}
            }
            return response.status, kept, await response.read()


async def _body_of(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def _piecewise(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


@contextmanager
def running_gate(upstream: str) -> Iterator[Gate]:
    """Run a gate before the server at `upstream`, in a thread of its own."""
    gate = Gate(upstream)
    with running(gate) as url:
        gate.url = url
        yield gate
