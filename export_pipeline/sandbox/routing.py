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


class Transport(Protocol):
    """The connection of a request."""

    def abort(self) -> None:
        """Close it at once."""

    def close(self) -> None:
        """Close it once what was written is sent."""


class Router:
    """An ASGI app over `routes`, from `"POST /v3/{name}"` to its handler.

    Each request gets an id, told as `request.state.request_id`, and to the client by every
    response, errors too, in `id_header` where the vendor has such a header.
    """

    def __init__(
        self,
        prefix: str,
        routes: Mapping[str, Handler],
        not_found: Callable[[], ApiError],
        id_header: str | None,
    ) -> None:
        self._routes = [(*_parse(prefix, route), handler) for route, handler in routes.items()]
        self._not_found = not_found
        self._id_header = id_header
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        number = next(self._numbers)
        request_id = f"00-{number:032x}-{number:016x}-00"
        request = Request(scope, receive)
        request.state.request_id = request_id
        try:
            response = await self._answer(request)
        except ApiError as error:
            error.request_id = request_id
            response = error.response()
        except DropConnectionError:
            transport(receive).abort()
            # uvicorn must see the connection gone, else it writes a 500 of its own.
            await receive()
            return
        if self._id_header is not None:
            response.headers[self._id_header] = request_id
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


def transport(receive: Any) -> Transport:
    """The connection of the request that `receive` belongs to."""
    # ASGI has no way to drop a connection; `receive` is a method of uvicorn's request cycle.
    return cast("Transport", receive.__self__.transport)
