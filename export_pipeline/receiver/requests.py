"""What every endpoint asks of a request first: a genuine token, and a body within bounds."""

import asyncio
from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.requests import Request

from export_pipeline.receiver.addresses import TOKEN_HEADER, Addresses

_CLOSE = {"Connection": "close"}


def require_token(request: Request, addresses: Addresses, *what: str) -> None:
    """Let only requests pass that carry the token for exactly `what`.

    Raises:
        HTTPException: 401, which does not tell what was wrong.
    """
    if not addresses.is_genuine(request.headers.get(TOKEN_HEADER), *what):
        raise HTTPException(401)
    request.state.is_genuine = True


def ids_of(request: Request) -> dict[str, str]:
    """What the request is about, for the log; nothing of it before its token was found genuine."""
    is_genuine = getattr(request.state, "is_genuine", False)
    return dict(request.path_params) if is_genuine else {}


async def body_of(request: Request, *, limit_bytes: int, seconds: float) -> AsyncIterator[bytes]:
    """Yield the body as it comes, never more than `limit_bytes`, for `seconds` at most.

    Raises:
        HTTPException: 413 or 408; the connection is then closed, as the rest may be endless.
        ClientDisconnect: the sender went away before the end.
    """
    if int(request.headers.get("content-length", 0)) > limit_bytes:
        raise _too_large(limit_bytes)
    deadline = asyncio.get_running_loop().time() + seconds
    stream = request.stream()
    received_bytes = 0
    while chunk := await _next(stream, deadline):
        received_bytes += len(chunk)
        if received_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        yield chunk


async def _next(stream: AsyncIterator[bytes], deadline: float) -> bytes:
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(stream, b"")
    except TimeoutError:
        raise HTTPException(408, "The body did not end in time.", _CLOSE) from None


def _too_large(limit_bytes: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {limit_bytes} bytes.", _CLOSE)
