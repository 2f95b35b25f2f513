"""Legal holds in the store, which outlive the ledger: `holds/<vendor>/<account>/<scan>.json`."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress

from export_pipeline.archive.bag import read_all
from export_pipeline.archive.layout import HOLD_FOLDER
from export_pipeline.errors import AlreadyExists, BadInput
from export_pipeline.ledger.holds import Hold
from export_pipeline.scans import ScanKey, escape
from export_pipeline.storage.store import Store, pieces


async def write_hold(store: Store, hold: Hold) -> None:
    """Write a hold; one that is there stays as it is."""
    key = hold.key
    named = {"vendor": key.vendor, "account": key.account, "scan": key.scan}
    body = json.dumps({**named, "reason": hold.reason, "at": hold.at}).encode()
    with suppress(AlreadyExists):
        await store.put(hold_key(key), pieces(body), content_type="application/json")


async def erase_hold(store: Store, key: ScanKey) -> None:
    """Remove a hold; none there is fine."""
    await store.erase(hold_key(key))


async def is_held(store: Store, key: ScanKey) -> bool:
    """Whether the store has a hold of the scan, also one that the ledger lost."""
    return await store.stat(hold_key(key)) is not None


async def read_holds(store: Store) -> AsyncIterator[Hold]:
    """Yield every hold of the store, in order of key.

    Raises:
        BadInput: one cannot be read; names it.
    """
    async for found in store.list(HOLD_FOLDER):
        yield _read(found.key, await read_all(store, found.key))


def hold_key(key: ScanKey) -> str:
    """Return the key of the scan's hold."""
    return f"{HOLD_FOLDER}{'/'.join(map(escape, (key.vendor, key.account, key.scan)))}.json"


def _read(key: str, body: bytes) -> Hold:
    try:
        told = json.loads(body)
        scan = ScanKey(told["vendor"], told["account"], told["scan"])
        hold = Hold(scan, str(told["reason"]), float(told["at"]))
    except (ValueError, TypeError, KeyError):
        raise BadInput(f"{key!r} is no hold: bring it back from a copy of the store") from None
    if hold_key(scan) != key:
        raise BadInput(f"{key!r} is the hold of another scan: bring it back from a copy")
    return hold
