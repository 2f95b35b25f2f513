"""Reading an object from an offset, going on where a connection broke off."""

from collections.abc import AsyncGenerator

import aiohttp

from export_pipeline.errors import AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.s3.client import ATTEMPTS, S3Client
from export_pipeline.storage.store import CHUNK_BYTES

_NOT_SATISFIABLE = 416
_PARTIAL = 206


async def read(client: S3Client, key: str, offset: int) -> AsyncGenerator[bytes, None]:
    """Yield the object's bytes from `offset`; nothing if it has no more.

    Raises:
        StoreError: see `S3Client.reading`; or the object was replaced while it was read.
    """
    position, version, failures = offset, "", 0
    while True:
        try:
            async with client.reading(key, _headers(position, version)) as response:
                if response.status == _NOT_SATISFIABLE:
                    return
                _require_range(response, key, position)
                version = version or response.headers.get("etag", "")
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    position += len(chunk)
                    failures = 0
                    yield chunk
                return
        except StoreUnavailable:
            failures += 1
            if failures == ATTEMPTS:
                raise
            await client.pause(failures)
        except AlreadyExists:
            raise StoreError(f"{key!r} was replaced by another object while it was read") from None


def _headers(position: int, version: str) -> dict[str, str]:
    headers = {"range": f"bytes={position}-"} if position else {}
    return headers | ({"if-match": version} if version else {})


def _require_range(response: aiohttp.ClientResponse, key: str, position: int) -> None:
    if not position:
        return
    begins = response.headers.get("content-range", "").startswith(f"bytes {position}-")
    if response.status != _PARTIAL or not begins:
        raise StoreError(f"{key!r}: the store does not give the range that was asked for")
