"""Reading an object from an offset, going on where a connection broke off."""

from collections.abc import AsyncGenerator
from http import HTTPStatus

import aiohttp

from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline.storage.http_put.client import HttpPutClient
from export_pipeline.storage.store import CHUNK_BYTES

Version = tuple[str | None, str | None]


async def read(client: HttpPutClient, name: str, offset: int = 0) -> AsyncGenerator[bytes, None]:
    """Yield the object's bytes from `offset`; nothing if it has no more.

    Raises:
        StoreError: see `HttpPutClient.reading`; or the object was replaced while it was read.
    """
    position, begun, failures = offset, None, 0
    while True:
        try:
            async with client.reading(name, position) as response:
                if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return
                begun = begun or _version(response)
                if _version(response) != begun:
                    raise StoreError(f"{name!r} was replaced by another object while it was read")
                skip = position - _begin(response, name)
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    rest = chunk[skip:]
                    skip -= len(chunk) - len(rest)
                    if rest:
                        position += len(rest)
                        failures = 0
                        yield rest
                return
        except StoreUnavailable as error:
            failures += 1
            await client.pause(failures, error)


def _version(response: aiohttp.ClientResponse) -> Version:
    return response.headers.get("etag"), response.headers.get("last-modified")


def _begin(response: aiohttp.ClientResponse, name: str) -> int:
    """Return the byte with which an answer begins: a server may leave the range out of account."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return 0
    unit, _, extent = response.headers.get("content-range", "").partition(" ")
    begin = extent.partition("-")[0]
    if unit != "bytes" or not begin.isdecimal():
        raise StoreError(f"{name!r}: the server answers with a part and does not say which")
    return int(begin)
