"""A server that takes what the sandbox sends and answers as a test wants."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Keeps every request; `answer` chooses the status, 200 unless a test replaces it."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.answer: Callable[[Received], int] = lambda _: 200
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def at(self, path: str) -> list[Received]:
        """The requests whose decoded path this is."""
        return [r for r in self.requests if unquote(r.path) == path]

    def wait_for(self, path: str, count: int = 1) -> list[Received]:
        """The requests at `path` once there are `count`."""
        wait_until(lambda: len(self.at(path)) >= count, f"{count} requests at {path}")
        return self.at(path)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.command, self.path, headers, body)
                status = receiver.answer(received)
                receiver.requests.append(received)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_PUT = do_PATCH = take  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Return once `is_so`; fail naming `what` when patience ends."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.005)
