"""Reading a blob from an offset."""

from collections.abc import AsyncGenerator
from functools import partial

from export_pipeline.storage.azure.client import AzureClient
from export_pipeline.storage.reading import unreplaced


def read(client: AzureClient, name: str, offset: int) -> AsyncGenerator[bytes, None]:
    """Yield the blob's bytes from `offset`; see `unreplaced` and `AzureClient.reading`."""
    where = client.place.named(name)
    reading = partial(client.reading, name)
    return unreplaced(reading, client.retries.rest, offset, where=where, span="x-ms-range")
