"""Reading an object from an offset, going on where a connection broke off."""

from collections.abc import AsyncGenerator
from http import HTTPStatus

import aiohttp

from export_pipeline.errors import NotFound, StoreError, StoreUnavailable
from export_pipeline.storage.gcs.client import ATTEMPTS, GcsClient
from export_pipeline.storage.store import CHUNK_BYTES

_AS_STORED = {"accept-encoding": "gzip"}
"""Else an object that somebody stored as gzip comes unpacked (Cloud Storage: "Transcoding")."""


async def read(client: GcsClient, name: str, offset: int) -> AsyncGenerator[bytes, None]:
    """Yield the object's bytes from `offset`; nothing if it has no more.

    Raises:
        StoreError: see `GcsClient.reading`; or the object was replaced while it was read.
    """
    position, generation, failures = offset, "", 0
    while True:
        query = {"generation": generation} if generation else {}
        span = {"range": f"bytes={position}-"} if position else {}
        try:
            async with client.reading(name, query, _AS_STORED | span) as response:
                if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return
                _require_range(response, name, position)
                generation = generation or response.headers.get("x-goog-generation", "")
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    position += len(chunk)
                    failures = 0
                    yield chunk
                return
        except StoreUnavailable as error:
            failures += 1
            if failures == ATTEMPTS:
                raise
            await client.pause(failures, error)
        except NotFound as error:
            if not generation:
                raise
            raise StoreError(f"{error}: it was replaced or deleted while it was read") from None


def _require_range(response: aiohttp.ClientResponse, name: str, position: int) -> None:
    if not position:
        return
    begins = response.headers.get("content-range", "").startswith(f"bytes {position}-")
    if response.status != HTTPStatus.PARTIAL_CONTENT or not begins:
        raise StoreError(f"{name!r}: the store does not give the range that was asked for")
