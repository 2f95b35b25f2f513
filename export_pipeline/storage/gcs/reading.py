"""Reading an object of a bucket from an offset, always the same generation of it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from export_pipeline.errors import NotFound, StoreError
from export_pipeline.storage.gcs.client import GcsClient
from export_pipeline.storage.reading import resumed

_AS_STORED = {"accept-encoding": "gzip"}
"""Else an object that somebody stored as gzip comes unpacked (Cloud Storage: "Transcoding")."""


def read(client: GcsClient, name: str, offset: int) -> AsyncGenerator[bytes, None]:
    """Yield the object's bytes from `offset`; see `resumed`.

    Raises:
        StoreError: see `GcsClient.reading`; or the object was replaced while it was read.
    """

    @asynccontextmanager
    async def begin(position: int, generation: str) -> AsyncIterator[aiohttp.ClientResponse]:
        query = {"generation": generation} if generation else {}
        span = {"range": f"bytes={position}-"} if position else {}
        try:
            async with client.reading(name, query, _AS_STORED | span) as response:
                yield response
        except NotFound as error:
            if not generation:
                raise
            raise StoreError(f"{error}: it was replaced or deleted while it was read") from None

    return resumed(
        begin, client.retries.rest, offset, where=repr(name), version=["x-goog-generation"]
    )
