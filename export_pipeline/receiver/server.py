"""The receiver as a process: uvicorn with settings that suit strangers' machines as clients.

Uvicorn on httptools bounds no request's head: that is the part of the proxy that ends TLS.
"""

import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType

import uvicorn
from starlette.types import ASGIApp

from export_pipeline.ledger.database import Ledger
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.app import build
from export_pipeline.receiver.forgotten import Forgotten, Reader
from export_pipeline.receiver.signatures import Signed
from export_pipeline.settings import Settings
from export_pipeline.storage.store import Store

BACKLOG_CONNECTIONS = 2_048
MAX_CONNECTIONS = 1_000
"""More are answered 503: each may hold a body in memory."""
IDLE_SECONDS = 75
"""Longer than the usual 60 of proxies, so that the proxy is who closes."""
SHUTDOWN_SECONDS = 25
"""Time for uploads in flight to end after SIGTERM; Kubernetes kills after 30 by default."""


class ReceiverServer(uvicorn.Server):
    """A uvicorn server that calls `ready` once it takes requests."""

    def __init__(self, app: ASGIApp, ready: Callable[[], None]) -> None:
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                access_log=False,
                log_level="warning",
                server_header=False,
                lifespan="off",
                ws="none",
                backlog=BACKLOG_CONNECTIONS,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        self._ready()


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
    )[0]
    # Not `create_server`: without a protocol on it asyncio sets no TCP_NODELAY, and an answer in
    # two pieces waits 40 ms for the sender's delayed acknowledgement.
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG_CONNECTIONS)
    except BaseException:
        listener.close()
        raise
    return listener


def serve(
    settings: Settings,
    ledger: Ledger,
    store: Store,
    *,
    host: str,
    port: int,
    ready: Callable[[str], None],
    signed: Mapping[str, Signed] = MappingProxyType({}),
    readers: Mapping[str, Reader] = MappingProxyType({}),
) -> None:
    """Serve until SIGTERM or SIGINT; `ready` gets the local base URL once requests are taken."""
    addresses = Addresses(settings.receiver_url, settings.secrets)
    forgotten = Forgotten(ledger, settings.tombstone_secret, readers)
    app = build(ledger, store, addresses, signed, forgotten)
    with listen(host, port) as listener:
        name, number = listener.getsockname()[:2]
        server = ReceiverServer(app, lambda: ready(f"http://{name}:{number}"))
        server.run(sockets=[listener])
