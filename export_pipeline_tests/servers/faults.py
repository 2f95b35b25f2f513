"""A TCP proxy that cuts, resets and stalls; and an HTTP gate that answers instead of the server."""

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from starlette.types import Receive, Scope, Send
from yarl import URL

LOOPBACK = "127.0.0.1"


@dataclass
class FaultProxy:
    """What goes wrong on the next connections; each fault hits `times` of them and is then over.

    Args:
        url: of the proxy.
        cut_upload_at: bytes towards the server after which the connection is reset.
        cut_answer_at: bytes from the server after which the connection is reset.
        stall_upload_at: bytes towards the server after which nothing moves any more.
        change_upload_at: the byte towards the server that arrives as another.
        reset: the connection is reset as soon as it is made.
        times: connections that are still to be hit.
        hits: connections that were.
    """

    url: str = ""
    cut_upload_at: int | None = None
    cut_answer_at: int | None = None
    stall_upload_at: int | None = None
    change_upload_at: int | None = None
    reset: bool = False
    times: int = 0
    hits: int = 0
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

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
                if is_upload and self._stalls(passed):
                    await self._ended.wait()
                sink.write(self._changed(data, passed) if is_upload else data)
                await sink.drain()
        sink.close()

    def _stalls(self, passed: int) -> bool:
        return self.stall_upload_at is not None and passed > self.stall_upload_at and self._hit()

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

    def end(self) -> None:
        """Let go of what stalls."""
        self._ended.set()


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
        proxy.end()
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


@dataclass
class Gate:
    """An ASGI app before a server: answers what is scripted, then passes requests on.

    Args:
        upstream: the server's URL.
        answers: of the next requests, in turn: status, headers, body; None passes one on.
        dropped: names of headers that are taken out of the server's answers.
        requests: what came: verb and path.
    """

    upstream: str
    answers: list[tuple[int, dict[str, str], bytes] | None] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body = await _body_of(receive)
        self.requests.append(f"{scope['method']} {scope['path']}")
        scripted = self.answers.pop(0) if self.answers else None
        status, headers, content = scripted or await self._passed_on(scope, body)
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

    async def _passed_on(self, scope: Scope, body: bytes) -> tuple[int, dict[str, str], bytes]:
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
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _piecewise(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]
