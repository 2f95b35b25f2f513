"""The sandbox's ports, served in the foreground or from a thread."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import fields
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import Receive, Scope, Send

from export_pipeline.sandbox.app import SandboxApp, SandboxOptions
from export_pipeline.sandbox.clock import Clock, RealClock
from export_pipeline.sandbox.vendor import Origins

LOOPBACK = "127.0.0.1"
BACKLOG = 2048
SHUTDOWN_SECONDS = 1

Announcement = dict[str, Any]


class _Server(uvicorn.Server):
    """Opens and closes the vendors with itself, and tells when it is ready."""

    def __init__(
        self,
        options: SandboxOptions,
        clock: Clock,
        origins: Origins,
        ready: Callable[[SandboxApp], None],
    ) -> None:
        self.vendors: SandboxApp | None = None
        self._options = options
        self._origins = origins
        self._clock = clock
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                self._app,
                interface="asgi3",
                lifespan="off",
                proxy_headers=False,
                access_log=False,
                log_level="warning",
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
        )

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.vendors is not None:
            await self.vendors(scope, receive, send)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.vendors = SandboxApp(self._options, self._clock, self._origins)
        await super().startup(sockets)
        self._ready(self.vendors)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.vendors is not None:
            await self.vendors.close()


def serve(
    host: str,
    port: int,
    options: SandboxOptions,
    ready: Callable[[Announcement], None],
    clock: Clock | None = None,
) -> None:
    """Serve until interrupted; `ready` is called with the announcement once requests are taken."""
    listeners = _listen(host, port)
    origins = _origins(listeners)
    server = _Server(
        options, clock or RealClock(), origins, lambda vendors: ready(vendors.announcement)
    )
    server.run(sockets=listeners)


def run(host: str = LOOPBACK, port: int = 0, options: SandboxOptions | None = None) -> None:
    """Serve until interrupted; the first line on stdout is the announcement as JSON."""
    serve(host, port, options or SandboxOptions(), lambda told: print(json.dumps(told), flush=True))


class Sandbox:
    """The sandbox in a thread of this process, on free loopback ports; a context manager."""

    def __init__(self, options: SandboxOptions | None = None, clock: Clock | None = None) -> None:
        self.options = options or SandboxOptions()
        self._clock = clock or RealClock()
        self._running: tuple[_Server, threading.Thread] | None = None
        self.url = ""

    @property
    def addresses(self) -> Announcement:
        """The announcement of the running sandbox."""
        return self._vendors.announcement

    def start(self) -> Self:
        """Start and return once requests are taken."""
        is_ready = threading.Event()
        listeners = _listen(LOOPBACK, 0)
        origins = _origins(listeners)
        self.url = origins.main
        server = _Server(self.options, self._clock, origins, lambda _: is_ready.set())
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=listeners)),
            name="sandbox",
            daemon=True,
        )
        thread.start()
        while not is_ready.wait(timeout=0.1):
            if not thread.is_alive():
                raise RuntimeError("the sandbox did not start; its error stands in the log above")
        self._running = (server, thread)
        return self

    def stats(self, vendor: str = "copyleaks") -> dict[str, Any]:
        """The counters of a vendor, as its control endpoint tells them."""
        return self._vendors.stats(vendor)

    def stop(self) -> None:
        """Stop and wait for the end of the thread."""
        if self._running is None:
            return
        server, thread = self._running
        server.should_exit = True
        thread.join()
        self._running = None

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def _vendors(self) -> SandboxApp:
        vendors = self._running[0].vendors if self._running else None
        if vendors is None:
            raise RuntimeError("the sandbox is not running; call start() first")
        return vendors


def _listen(host: str, port: int) -> list[socket.socket]:
    """A listener for each host of `Origins`; only the main one's port can be chosen."""
    return [_listener(host, port), *(_listener(host, 0) for _ in fields(Origins)[1:])]


def _origins(listeners: list[socket.socket]) -> Origins:
    return Origins(*map(_url, listeners))


def _listener(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # asyncio sets TCP_NODELAY only on sockets that name TCP; without it each answer takes 40 ms.
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"
