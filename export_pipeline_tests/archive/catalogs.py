"""The catalog of a ledger, and a ledger made anew from the store."""

import asyncio
from typing import Any

import pyarrow as pa

from export_pipeline.archive import catalog
from export_pipeline.ledger.database import Ledger
from export_pipeline.storage.store import Store
from export_pipeline.workflow.rebuilding.rebuild import rebuild
from export_pipeline.workflow.rebuilding.rebuilt import Rebuilt

KEY = "the key of the tombstones"
VENDORS = ("copyleaks", "laserfiche", "hookbridge", "cloudconvert")


def table(ledger: Ledger) -> pa.Table:
    async def read() -> pa.Table:
        found = [batch async for batch in catalog.batches(ledger)]
        return pa.Table.from_batches(found, catalog.SCHEMA)

    return asyncio.run(read())


def rebuilt(ledger: Ledger, store: Store, *, secret: str | None = KEY, **options: Any) -> Rebuilt:
    async def last() -> Rebuilt:
        steps = rebuild(ledger, store, VENDORS, tombstone_secret=secret, **options)
        return [done async for done in steps][-1]

    return asyncio.run(last())
