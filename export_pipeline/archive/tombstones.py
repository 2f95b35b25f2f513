"""Tombstones in the store, which outlive the ledger: `tombstones/<digest>.json`, no id in them."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass

from export_pipeline.archive.bag import read_all
from export_pipeline.archive.layout import TOMBSTONE_FOLDER
from export_pipeline.errors import AlreadyExists, BadInput
from export_pipeline.storage.store import Store, pieces


@dataclass(frozen=True)
class Tombstone:
    """What is left of a forgotten scan.

    Args:
        digest: see `ledger.tombstones.scan_digest`.
        reason: why it was forgotten.
        at: when, in seconds since the epoch.
    """

    digest: str
    reason: str
    at: float


async def bury(store: Store, tombstone: Tombstone) -> None:
    """Write a tombstone; one that is there stays as it is."""
    body = json.dumps(asdict(tombstone)).encode()
    with suppress(AlreadyExists):
        await store.put(_key(tombstone.digest), pieces(body), content_type="application/json")


async def read_tombstones(store: Store) -> AsyncIterator[Tombstone]:
    """Yield every tombstone of the store, in order of digest.

    Raises:
        BadInput: one cannot be read; names it.
    """
    async for found in store.list(TOMBSTONE_FOLDER):
        yield _read(found.key, await read_all(store, found.key))


def _key(digest: str) -> str:
    return f"{TOMBSTONE_FOLDER}{digest}.json"


def _read(key: str, body: bytes) -> Tombstone:
    try:
        read = Tombstone(**json.loads(body))
    except (ValueError, TypeError):
        raise BadInput(f"{key!r} is no tombstone: bring it back from a copy of the store") from None
    if _key(read.digest) != key:
        raise BadInput(f"{key!r} is the tombstone of another digest: bring it back from a copy")
    return read
