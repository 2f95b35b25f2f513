"""Reading an object of a bucket from an offset."""

from collections.abc import AsyncGenerator
from functools import partial

from export_pipeline.storage.reading import unreplaced
from export_pipeline.storage.s3.client import S3Client


def read(client: S3Client, key: str, offset: int) -> AsyncGenerator[bytes, None]:
    """Yield the object's bytes from `offset`; see `unreplaced` and `S3Client.reading`."""
    return unreplaced(partial(client.reading, key), client.retries.rest, offset, where=repr(key))
