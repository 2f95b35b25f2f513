"""Reading a blob from an offset, going on where a connection broke off."""

from collections.abc import AsyncGenerator

import aiohttp

from export_pipeline.errors import AlreadyExists, NotFound, StoreError, StoreUnavailable
from export_pipeline.storage.azure.client import AzureClient
from export_pipeline.storage.store import CHUNK_BYTES

_NOT_SATISFIABLE = 416
_PARTIAL = 206


async def read(client: AzureClient, name: str, offset: int) -> AsyncGenerator[bytes, None]:
    """Yield the blob's bytes from `offset`; nothing if it has no more.

    Raises:
        StoreError: see `AzureClient.reading`; or the blob was replaced while it was read.
    """
    position, version, failures = offset, "", 0
    while True:
        try:
            async with client.reading(name, _headers(position, version)) as response:
                if response.status == _NOT_SATISFIABLE:
                    return
                _require_blob(response, client.place.named(name), position)
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
            where = client.place.named(name)
            raise StoreError(f"{where} was replaced by another blob while it was read") from None


def _headers(position: int, version: str) -> dict[str, str]:
    headers = {"x-ms-range": f"bytes={position}-"} if position else {}
    return headers | ({"if-match": version} if version else {})


def _require_blob(response: aiohttp.ClientResponse, where: str, position: int) -> None:
    if response.headers.get("x-ms-resource-type") == "directory":
        raise NotFound(f"{where} is a folder")
    if not position:
        return
    begins = response.headers.get("content-range", "").startswith(f"bytes {position}-")
    if response.status != _PARTIAL or not begins:
        raise StoreError(f"{where}: the store does not give the range that was asked for")
