"""Erasing in a store that keeps one version of each object."""

from collections.abc import AsyncIterator
from typing import Protocol

from export_pipeline.storage.store import StoredObject, StoredVersion


class _Single(Protocol):
    """What it takes of a store."""

    async def stat(self, key: str) -> StoredObject | None: ...
    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]: ...
    async def delete(self, key: str) -> None: ...


class Versionless:
    """A store's `versions` and `erase` where each object is its only version."""

    async def versions(self: _Single, key: str) -> AsyncIterator[StoredVersion]:
        """See `Store.versions`; nothing is locked."""
        if key.endswith("/"):
            async for found in self.list(key):
                yield StoredVersion(found.key, found.size)
        elif (single := await self.stat(key)) is not None:
            yield StoredVersion(single.key, single.size)

    async def erase(self: _Single, key: str) -> int:
        """See `Store.erase`."""
        keys = [found.key async for found in Versionless.versions(self, key)]
        for one in keys:
            await self.delete(one)
        return len(keys)
