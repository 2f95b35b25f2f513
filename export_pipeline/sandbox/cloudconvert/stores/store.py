"""What every store offers to the tasks that export and import."""

from typing import NamedTuple, Protocol

import aiohttp

from export_pipeline.sandbox.cloudconvert.options import CloudConvertOptions
from export_pipeline.sandbox.cloudconvert.tasks import Json


class Given(NamedTuple):
    """What a store works with: the task's arguments and the vendor's own means."""

    arguments: Json
    session: aiohttp.ClientSession
    options: CloudConvertOptions


class Store(Protocol):
    """One kind of store; its errors are CallErrors."""

    async def put(self, given: Given, name: str, body: bytes) -> None:
        """Write a file under its name, over whatever is there."""

    async def get(self, given: Given, name: str) -> bytes:
        """Read the file of that name."""

    async def names(self, given: Given, prefix: str) -> list[str]:
        """The names of the files whose names begin so; of SFTP those in that folder."""
