"""Reading an object from an offset, going on where a connection broke off."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus

import aiohttp

from export_pipeline.errors import AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.store import CHUNK_BYTES

Begin = Callable[[int, str], AbstractAsyncContextManager[aiohttp.ClientResponse]]
"""Asks for the bytes from a position on, of the version with which it was begun; "" at first."""
Reading = Callable[[Mapping[str, str]], AbstractAsyncContextManager[aiohttp.ClientResponse]]
Rest = Callable[[int, StoreUnavailable], Awaitable[None]]
"""Waits before another try, after so many failures in a row; raises the error after too many."""


async def resumed(
    begin: Begin,
    rest: Rest,
    offset: int,
    *,
    where: str,
    version: Sequence[str],
    skips: bool = False,
) -> AsyncGenerator[bytes, None]:
    """Yield the object's bytes from `offset`; nothing if it has no more.

    Args:
        begin: whatever it raises but `StoreUnavailable` ends the reading.
        rest: see `Rest`.
        offset: in bytes.
        where: the object's name in errors.
        version: the headers by which an answer tells which object it is of.
        skips: of a server that may leave a range out of account, the bytes before it are skipped.

    Raises:
        StoreError: the store does not give the range that was asked for.
    """
    position, known, failures = offset, "", 0
    while True:
        try:
            async with begin(position, known) as response:
                if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return
                skip = position - _begin(response, where)
                if skip < 0 or (skip and not skips):
                    raise StoreError(f"{where}: the range that was asked for is not what came")
                known = known or version_of(response, version)
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    if fresh := chunk[skip:]:
                        position += len(fresh)
                        failures = 0
                        yield fresh
                    skip -= len(chunk) - len(fresh)
                return
        except StoreUnavailable as error:
            failures += 1
            await rest(failures, error)


def unreplaced(
    reading: Reading, rest: Rest, offset: int, *, where: str, span: str = "range"
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of an object that the store knows by an etag; see `resumed`.

    Args:
        reading: begins with these headers, and raises `AlreadyExists` for another etag.
        rest: see `Rest`.
        offset: in bytes.
        where: the object's name in errors.
        span: the header that asks for a range.

    Raises:
        StoreError: see `resumed`; or the object was replaced while it was read.
    """

    @asynccontextmanager
    async def begin(position: int, etag: str) -> AsyncIterator[aiohttp.ClientResponse]:
        asked = {span: f"bytes={position}-"} if position else {}
        try:
            async with reading(asked | ({"if-match": etag} if etag else {})) as response:
                yield response
        except AlreadyExists:
            replaced = f"{where} was replaced by another object while it was read"
            raise StoreError(replaced) from None

    return resumed(begin, rest, offset, where=where, version=["etag"])


def version_of(response: aiohttp.ClientResponse, headers: Sequence[str]) -> str:
    """Return what these headers of an answer say, a line for each."""
    return "\n".join(response.headers.get(name, "") for name in headers)


def _begin(response: aiohttp.ClientResponse, where: str) -> int:
    """Return the byte with which an answer begins."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return 0
    unit, _, extent = response.headers.get("content-range", "").partition(" ")
    begin = extent.partition("-")[0]
    if unit != "bytes" or not begin.isdecimal():
        raise StoreError(f"{where}: a part came that does not say which it is")
    return int(begin)
