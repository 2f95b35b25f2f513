"""A host of files for whoever pulls: `/<bytes>/<name>` is a file of so many bytes.

Raw HTTP/1.1 over asyncio's own protocol, so that it costs a tenth of what its clients do.
"""

import asyncio
import hashlib
import random
from functools import cache

LOOPBACK = "127.0.0.1"
BLOCK = random.Random(0).randbytes(1 << 20)
"""Every file is this over and over."""


def url_of(host: str, size: int, name: str) -> str:
    """The link to a file of `size` bytes."""
    return f"{host}/{size}/{name}"


@cache
def sha256_of(size: int) -> str:
    """The digest of every file of `size` bytes."""
    digest = hashlib.sha256()
    for _ in range(size // len(BLOCK)):
        digest.update(BLOCK)
    digest.update(BLOCK[: size % len(BLOCK)])
    return digest.hexdigest()


class Host(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self) -> None:
        self._request = b""
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a GET, which has no body."""
        self._request += data
        if self._request.endswith(b"\r\n\r\n"):
            size = int(self._request.split(b"/", 2)[1])
            self._request = b""
            self._sending = asyncio.get_running_loop().create_task(self._answer(size))

    async def _answer(self, size: int) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for start in range(0, size, len(BLOCK)):
            self._transport.write(BLOCK[: size - start])
            await self._may_write.wait()

    def pause_writing(self) -> None:
        """Wait for the client."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop sending."""
        if self._sending is not None:
            self._sending.cancel()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Host, LOOPBACK, 0, backlog=256)
    print(f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
