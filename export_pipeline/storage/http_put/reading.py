"""Reading an object from an offset, also where the server leaves the range out of account."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp

from export_pipeline.errors import StoreError
from export_pipeline.storage.http_put.client import HttpPutClient
from export_pipeline.storage.reading import resumed, version_of

_VERSION = ("etag", "last-modified")


def read(client: HttpPutClient, name: str, offset: int = 0) -> AsyncGenerator[bytes, None]:
    """Yield the object's bytes from `offset`; see `resumed`.

    Raises:
        StoreError: see `HttpPutClient.reading`; or the object was replaced while it was read.
    """

    @asynccontextmanager
    async def begin(position: int, known: str) -> AsyncIterator[aiohttp.ClientResponse]:
        async with client.reading(name, position) as response:
            has_bytes = response.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            if known and has_bytes and version_of(response, _VERSION) != known:
                raise StoreError(f"{name!r} was replaced by another object while it was read")
            yield response

    rest = client.retries.rest
    return resumed(begin, rest, offset, where=repr(name), version=_VERSION, skips=True)
