"""What a container holds, page by page (Swift: "Show container details and list objects")."""

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from export_pipeline.errors import StoreError
from export_pipeline.storage.swift.client import SwiftClient

PAGE = 1_000
"""Objects in one page; Swift gives up to 10,000."""


@dataclass(frozen=True)
class Entry:
    """An object as a listing has it.

    Args:
        size: in bytes; of a large object all its segments together.
        written_at: seconds since the epoch.
    """

    name: str
    size: int
    written_at: float


async def entries(client: SwiftClient, prefix: str) -> AsyncGenerator[Entry, None]:
    """Yield every object whose name begins with `prefix`, in order of name, a page in memory.

    Raises:
        StoreError: there is no such container, or it may not be listed.
    """
    query = {"format": "json", "limit": str(PAGE), "prefix": prefix}
    while page := await _page(client, query):
        for found in page:
            yield found
        # A page may be short and not the last (Swift: "Container sharding").
        query["marker"] = page[-1].name


async def _page(client: SwiftClient, query: Mapping[str, str]) -> list[Entry]:
    answer = await client.call("GET", "", query=query)
    try:
        return [_entry(found) for found in json.loads(answer.body or b"[]")]
    except (ValueError, KeyError, TypeError):
        raise StoreError(
            f"the list that container {client.container!r} gives cannot be read"
        ) from None


def _entry(found: Mapping[str, Any]) -> Entry:
    moment = datetime.fromisoformat(found["last_modified"]).replace(tzinfo=UTC)
    return Entry(found["name"], int(found["bytes"]), moment.timestamp())
