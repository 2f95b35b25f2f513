"""What every endpoint asks of a request first: a genuine token, and a body within bounds."""

import asyncio
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.requests import Request

from export_pipeline.receiver.addresses import TOKEN_HEADER, Addresses

LOGGED = frozenset(["vendor", "account", "status", "order", "artifact", "nonce"])
"""An allow-list of path parts: one path has a token in it."""
_CLOSE = {"Connection": "close"}


def require_token(
    request: Request, addresses: Addresses, *what: str, token: str | None = None
) -> None:
    """Let only requests pass that carry the token for exactly `what`.

    Args:
        request: is marked as genuine, which lets its path be logged and counted.
        addresses: which tokens are ours.
        what: see `Addresses.is_genuine`.
        token: as the path has it; the header's without one.

    Raises:
        HTTPException: 401, which does not tell what was wrong.
    """
    if not addresses.is_genuine(token or request.headers.get(TOKEN_HEADER), *what):
        raise HTTPException(401)
    request.state.purpose = what[0]


def ids_of(request: Request) -> dict[str, str]:
    """What the request is about, for the log; nothing of it before its token was found genuine."""
    if not hasattr(request.state, "purpose"):
        return {}
    return {name: value for name, value in request.path_params.items() if name in LOGGED}


async def body_of(
    request: Request, *, limit_bytes: int, seconds: float, idle_seconds: float
) -> AsyncIterator[bytes]:
    """Yield the body as it comes, never more than `limit_bytes`.

    Args:
        request: whose body.
        limit_bytes: most that the body may have.
        seconds: most that all of it may take.
        idle_seconds: most that may pass without a byte.

    Raises:
        HTTPException: 413 or 408; the connection is then closed, as the rest may be endless.
        ClientDisconnect: the sender went away before the end.
    """
    if int(request.headers.get("content-length", 0)) > limit_bytes:
        raise _too_large(limit_bytes)
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    stream = request.stream()
    received_bytes = 0
    while chunk := await _next(stream, min(deadline, clock() + idle_seconds)):
        received_bytes += len(chunk)
        if received_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        yield chunk


async def _next(stream: AsyncIterator[bytes], deadline: float) -> bytes:
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(stream, b"")
    except TimeoutError:
        raise HTTPException(408, "The body did not come in time.", _CLOSE) from None


def _too_large(limit_bytes: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {limit_bytes} bytes.", _CLOSE)
