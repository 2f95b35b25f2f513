"""Reading an object of a container from an offset."""

from collections.abc import AsyncGenerator
from functools import partial

from export_pipeline.storage.reading import unreplaced
from export_pipeline.storage.swift.client import SwiftClient


def read(client: SwiftClient, name: str, offset: int) -> AsyncGenerator[bytes, None]:
    """Yield the object's bytes from `offset`; see `unreplaced` and `SwiftClient.reading`."""
    return unreplaced(partial(client.reading, name), client.retries.rest, offset, where=repr(name))
