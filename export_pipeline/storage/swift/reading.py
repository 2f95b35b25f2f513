"""Reading an object from an offset, going on where a connection broke off."""

from collections.abc import AsyncGenerator
from http import HTTPStatus

import aiohttp

from export_pipeline.errors import AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.store import CHUNK_BYTES
from export_pipeline.storage.swift.client import SwiftClient


async def read(client: SwiftClient, name: str, offset: int) -> AsyncGenerator[bytes, None]:
    """Yield the object's bytes from `offset`; nothing if it has no more.

    Raises:
        StoreError: see `SwiftClient.reading`; or the object was replaced while it was read.
    """
    position, version, failures = offset, "", 0
    while True:
        try:
            async with client.reading(name, _headers(position, version)) as response:
                if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return
                _require_range(response, name, position)
                version = version or response.headers.get("etag", "")
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    position += len(chunk)
                    failures = 0
                    yield chunk
                return
        except StoreUnavailable as error:
            failures += 1
            await client.rest(failures, error)
        except AlreadyExists:
            raise StoreError(f"{name!r} was replaced by another object while it was read") from None


def _headers(position: int, version: str) -> dict[str, str]:
    headers = {"range": f"bytes={position}-"} if position else {}
    return headers | ({"if-match": version} if version else {})


def _require_range(response: aiohttp.ClientResponse, name: str, position: int) -> None:
    if not position:
        return
    begins = response.headers.get("content-range", "").startswith(f"bytes {position}-")
    if response.status != HTTPStatus.PARTIAL_CONTENT or not begins:
        raise StoreError(f"{name!r}: the store does not give the range that was asked for")
