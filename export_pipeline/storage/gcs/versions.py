"""Generations of objects: listed with what keeps them, and deleted for good."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from export_pipeline.errors import StoreError
from export_pipeline.storage.gcs.client import GcsClient
from export_pipeline.storage.gcs.resource import Resource, read_resource
from export_pipeline.storage.gcs.words import parse

AT_ONCE = 16
"""Generations deleted together."""
PAGE_OBJECTS = 1_000
"""Objects in one page of a list, the most there may be (JSON API: "Objects: list")."""
_KEPT_BY = {
    "temporaryHold": "a temporary hold",
    "eventBasedHold": "an event-based hold",
}


@dataclass(frozen=True)
class Kept:
    """One generation of an object, and in words by what it is kept; "" if by nothing."""

    found: Resource
    lock: str


async def listed(client: GcsClient, name: str) -> AsyncIterator[Kept]:
    """Yield every generation of an object, or of all below a folder; a page in memory."""
    query = {"prefix": name, "versions": "true", "maxResults": str(PAGE_OBJECTS)}
    while True:
        path = client.object_path()
        answer = await client.call("objects.list", "GET", path, name, query=query)
        page = parse(answer.body)
        if page.get("kind") != "storage#objects":
            raise StoreError(f"the generations that bucket {client.bucket!r} lists cannot be read")
        for item in page.get("items", ()):
            found = read_resource(item, name)
            if found.name == name or name.endswith("/"):
                yield Kept(found, _lock(item))
        if not page.get("nextPageToken"):
            return
        query["pageToken"] = page["nextPageToken"]


def _lock(item: Mapping[str, Any]) -> str:
    # Google tells the end of a retention only while it lasts (JSON API: "Objects").
    until = item.get("retentionExpirationTime")
    holds = [words for name, words in _KEPT_BY.items() if item.get(name)]
    return " and ".join([*holds, *([f"a retention until {until}"] if until else [])])


async def erase(client: GcsClient, name: str) -> int:
    """Delete every generation; return how many."""
    every = [kept.found async for kept in listed(client, name)]
    for start in range(0, len(every), AT_ONCE):
        some = every[start : start + AT_ONCE]
        await asyncio.gather(*[client.erase(one.name, one.generation) for one in some])
    return len(every)
