"""Routes on the raw path: one segment is decoded once, so an encoded slash stays inside its id."""

import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Handler = Callable[[Request, dict[str, str]], Awaitable[Response]]


class ApiError(Exception):
    """An answer other than success; each vendor shapes its own.

    The router sets `request_id` before it asks for the response.
    """

    request_id = ""

    def response(self) -> Response:
        """The answer on the wire."""
        raise NotImplementedError


class DropConnectionError(Exception):
    """Raised by a handler to close the connection without any answer."""


class _Aborts(Protocol):
    def abort(self) -> None: ...


class Router:
    """An ASGI app over `routes`, from `"POST /v3/{name}"` to its handler.

    Every response carries `X-Request-Id`, errors too.
    """

    def __init__(
        self, prefix: str, routes: Mapping[str, Handler], not_found: Callable[[], ApiError]
    ) -> None:
        self._routes = [(*_parse(prefix, route), handler) for route, handler in routes.items()]
        self._not_found = not_found
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        number = next(self._numbers)
        request_id = f"00-{number:032x}-{number:016x}-00"
        try:
            response = await self._answer(Request(scope, receive))
        except ApiError as error:
            error.request_id = request_id
            response = error.response()
        except DropConnectionError:
            _transport(receive).abort()
            # uvicorn must see the connection gone, else it writes a 500 of its own.
            await receive()
            return
        response.headers["X-Request-Id"] = request_id
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        raw = cast("bytes", request.scope["raw_path"]).decode("latin-1")
        segments = raw.split("/")[1:]
        for method, pattern, handler in self._routes:
            params = _match(pattern, segments) if method == request.method else None
            if params is not None:
                return await handler(request, params)
        raise self._not_found()


def _parse(prefix: str, route: str) -> tuple[str, list[str]]:
    method, path = route.split(" ")
    return method, (prefix + path).split("/")[1:]


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    params = {}
    for expected, given in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            params[expected[1:-1]] = unquote(given)
        elif expected != given:
            return None
    return params


def _transport(receive: Any) -> _Aborts:
    # ASGI has no way to drop a connection; `receive` is a method of uvicorn's request cycle.
    return cast("_Aborts", receive.__self__.transport)
