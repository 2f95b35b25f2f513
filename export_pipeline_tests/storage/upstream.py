"""A store's server as the fault tests see it: past the store, and through what they put before."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from export_pipeline.storage.store import Store

Sleep = Callable[[float], Awaitable[None]]
PATIENT_SECONDS = 60.0
"""A stall that no test waits for."""


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


class Pauses(list[float]):
    """Waits not at all, and notes how long it was asked to."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await at_once(seconds)


class Upstream(Protocol):
    """A server with an empty bucket, container or folder, where a store's parts are small."""

    @property
    def url(self) -> str:
        """Of the server."""

    def store(
        self, url: str, *, stall_seconds: float = PATIENT_SECONDS, sleep: Sleep = at_once
    ) -> Store:
        """A store in that bucket.

        Args:
            url: where it finds the server: a proxy's or a gate's, or the server's own.
            stall_seconds: a call on which nothing moves for so long is given up.
            sleep: waits between two tries.
        """

    def write(self, key: str, data: bytes) -> None:
        """Put an object there as another writer would, at once, over whatever there is."""

    def unfinished(self) -> list[str]:
        """What the server has of uploads that are no object."""
