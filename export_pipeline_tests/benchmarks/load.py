"""A vendor that sends as fast as it gets answers, or at a fixed rate whatever the answers do.

Raw HTTP/1.1 over asyncio's own protocol: a client library costs more than the receiver.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from time import perf_counter
from typing import TypedDict

CONNECTIONS = 64


class Job(TypedDict):
    """What to send: every request's head and the body that all of them have.

    `rate` is in requests a second, 0 for as fast as answers come.
    """

    port: int
    verb: str
    requests: list[tuple[str, str]]
    body: str
    rate: float
    expected: int


class Told(TypedDict):
    """What came of it: requests a second, and the latency of each in seconds."""

    per_second: float
    latencies: list[float]


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request in flight."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take an answer; those that are measured have no body."""
        self._received += data
        if self._received.endswith(b"\r\n\r\n") and self._answer is not None:
            self._answer.set_result(int(self._received[9:12]))
            self._received.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    async def send(self, request: bytes) -> int:
        """Send and return the answer's status."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer


async def send_all(job: Job) -> Told:
    """Send every request once."""
    body = job["body"].encode()
    requests = [_request(job["verb"], path, token, body) for path, token in job["requests"]]
    loop = asyncio.get_running_loop()
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(Connection, "127.0.0.1", job["port"])
        free.put_nowait(connection)
    latencies: list[float] = []

    async def one(request: bytes, due: float) -> None:
        connection = await free.get()
        status = await connection.send(request)
        free.put_nowait(connection)
        latencies.append(perf_counter() - due)
        assert status == job["expected"], status

    began = perf_counter()
    await (_paced if job["rate"] else _flat_out)(requests, one, job["rate"])
    return {"per_second": len(requests) / (perf_counter() - began), "latencies": latencies}


One = Callable[[bytes, float], Coroutine[None, None, None]]


async def _flat_out(requests: Sequence[bytes], one: One, _rate: float) -> None:
    rest = iter(requests)

    async def lane() -> None:
        for request in rest:
            await one(request, perf_counter())

    await asyncio.gather(*(lane() for _ in range(CONNECTIONS)))


async def _paced(requests: Sequence[bytes], one: One, rate: float) -> None:
    # Latency counts from when a request was due, not from when a connection was free for it.
    began = perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            due = began + number / rate
            await asyncio.sleep(due - perf_counter())
            group.create_task(one(request, due))


def _request(verb: str, path: str, token: str, body: bytes) -> bytes:
    head = (
        f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nX-Export-Token: {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send_all(json.load(sys.stdin)))))
