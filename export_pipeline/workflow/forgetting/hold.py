"""Legal holds: placed and released in ledger and store."""

from export_pipeline.archive.holds import erase_hold, write_hold
from export_pipeline.errors import NotForgotten
from export_pipeline.ledger import holds, tombstones
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.holds import Hold
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.storage.store import Store


async def hold(settings: Settings, ledger: Ledger, store: Store, key: ScanKey, reason: str) -> Hold:
    """Keep a scan from being forgotten; a hold that is there keeps its reason.

    Raises:
        NotForgotten: it is forgotten already.
        StoreError: it is held by the ledger alone; call again.
    """
    placed = await ledger.apply(_place, settings.tombstone_secret, key, reason)
    await write_hold(store, placed)
    return placed


def _place(tx: Tx, secret: str | None, key: ScanKey, reason: str) -> Hold:
    # In the same transaction: a `forget` that began before has buried it by now.
    if tombstones.forgotten(tx, secret, [key]):
        raise NotForgotten(f"{key} cannot be held: it is forgotten already, or being forgotten")
    return holds.place(tx, key, reason)


async def release(ledger: Ledger, store: Store, key: ScanKey) -> bool:
    """Let go of a scan; False if it was not held.

    Raises:
        StoreError: it is held still; call again.
    """
    await erase_hold(store, key)
    return await ledger.apply(holds.release, key)
