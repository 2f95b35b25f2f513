"""All vendors on one port, run in the foreground or in a thread."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from export_pipeline.sandbox.clock import Clock, RealClock
from export_pipeline.sandbox.copyleaks.app import Copyleaks
from export_pipeline.sandbox.copyleaks.control import Control, stats_of
from export_pipeline.sandbox.copyleaks.errors import ProblemError
from export_pipeline.sandbox.copyleaks.options import CopyleaksOptions
from export_pipeline.sandbox.routing import Router

LOOPBACK = "127.0.0.1"
COPYLEAKS = "/copyleaks"
CONTROL = "/sandbox"
BACKLOG = 2048
SHUTDOWN_SECONDS = 1


@dataclass(frozen=True)
class SandboxOptions:
    """The options of each vendor."""

    copyleaks: CopyleaksOptions = field(default_factory=CopyleaksOptions)


class _Vendors:
    """The running vendors as one ASGI app; made inside the event loop that serves them."""

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self.copyleaks = Copyleaks(options.copyleaks, clock)
        routes = self.copyleaks.routes()
        control_routes = Control(self.copyleaks).routes()
        self._routers = {
            COPYLEAKS: Router(COPYLEAKS, routes, lambda: ProblemError(404)),
            CONTROL: Router(CONTROL + COPYLEAKS, control_routes, lambda: ProblemError(404)),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode("latin-1")
        for prefix, router in self._routers.items():
            if path.startswith(f"{prefix}/"):
                return await router(scope, receive, send)
        return await Response(status_code=404)(scope, receive, send)

    async def close(self) -> None:
        await self.copyleaks.close()


class _Server(uvicorn.Server):
    """Opens and closes the vendors with itself, and tells when it is ready."""

    def __init__(self, options: SandboxOptions, clock: Clock, ready: Callable[[], None]) -> None:
        self.vendors: _Vendors | None = None
        self._options = options
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
        self.vendors = _Vendors(self._options, self._clock)
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.vendors is not None:
            await self.vendors.close()


def serve(
    host: str,
    port: int,
    options: SandboxOptions,
    ready: Callable[[str], None],
    clock: Clock | None = None,
) -> None:
    """Serve until interrupted; `ready` is called with the base URL once requests are taken."""
    listener = _listen(host, port)
    url = _url(listener)
    server = _Server(options, clock or RealClock(), lambda: ready(url))
    server.run(sockets=[listener])


def run(host: str = LOOPBACK, port: int = 0, options: SandboxOptions | None = None) -> None:
    """Serve until interrupted; the first line on stdout is the announcement as JSON."""
    chosen = options or SandboxOptions()
    serve(host, port, chosen, lambda url: print(json.dumps(announcement(url, chosen)), flush=True))


def announcement(url: str, options: SandboxOptions) -> dict[str, str]:
    """Where each vendor is and the credentials it takes."""
    account = options.copyleaks.accounts[0]
    return {
        "copyleaks_api": url + COPYLEAKS,
        "copyleaks_identity": url + COPYLEAKS,
        "copyleaks_email": account.email,
        "copyleaks_key": account.key,
        "copyleaks_control": url + CONTROL + COPYLEAKS,
    }


class Sandbox:
    """The sandbox in a thread of this process, on a free loopback port; a context manager."""

    def __init__(self, options: SandboxOptions | None = None, clock: Clock | None = None) -> None:
        self.options = options or SandboxOptions()
        self._clock = clock or RealClock()
        self._running: tuple[_Server, threading.Thread] | None = None
        self.url = ""

    @property
    def addresses(self) -> dict[str, str]:
        """The announcement of the running sandbox."""
        return announcement(self.url, self.options)

    def start(self) -> Self:
        """Start and return once requests are taken."""
        is_ready = threading.Event()
        listener = _listen(LOOPBACK, 0)
        self.url = _url(listener)
        server = _Server(self.options, self._clock, is_ready.set)
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[listener])),
            name="sandbox",
            daemon=True,
        )
        thread.start()
        while not is_ready.wait(timeout=0.1):
            if not thread.is_alive():
                raise RuntimeError("the sandbox did not start; its error stands in the log above")
        self._running = (server, thread)
        return self

    def stats(self) -> dict[str, Any]:
        """The counters of Copyleaks, as its control endpoint tells them."""
        vendors = self._running[0].vendors if self._running else None
        if vendors is None:
            raise RuntimeError("the sandbox is not running; call start() first")
        return stats_of(vendors.copyleaks)

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


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # asyncio sets TCP_NODELAY only on sockets that name TCP; without it each answer takes 40 ms.
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(BACKLOG)
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"
