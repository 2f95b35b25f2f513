"""Tidy: delete at the vendor what is archived, where the user asked for it."""

import asyncio

from export_pipeline.concurrency import all_of
from export_pipeline.errors import ConfigError, VendorError
from export_pipeline.ledger import events, generations, orders, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Order, Scan
from export_pipeline.workflow.pipeline import Pipeline

SCANS_PER_TURN = 100
SCANS_AT_ONCE = 4
AGAIN_SECONDS = 600.0
"""Until a deletion that the vendor did not do is tried again."""


async def tidy(pipeline: Pipeline) -> int:
    """Delete what sealed scans left at the vendor, if it is time to; return of how many scans.

    A deletion that fails is noted with its reason and tried again later.
    """
    found = await pipeline.ledger.look(generations.untidy, pipeline.vendor.name, SCANS_PER_TURN)
    gate = asyncio.Semaphore(SCANS_AT_ONCE)

    async def gated(scan_id: int, number: int) -> None:
        async with gate:
            await _tidy(pipeline, scan_id, number)

    await all_of(*[gated(scan_id, number) for scan_id, number in found])
    return len(found)


async def _tidy(pipeline: Pipeline, scan_id: int, number: int) -> None:
    scan, made = await pipeline.ledger.look(_orders, scan_id, number)
    failure = ""
    try:
        await pipeline.vendor.after_sealed(scan, made)
    except (VendorError, ConfigError) as error:
        failure = str(error)
    await pipeline.ledger.apply(_tidied, scan, number, failure)


def _orders(tx: Tx, scan_id: int, number: int) -> tuple[Scan, list[Order]]:
    return registry.by_id(tx, scan_id), orders.of_scan(tx, scan_id, number)


def _tidied(tx: Tx, scan: Scan, number: int, failure: str) -> None:
    again = tx.now + AGAIN_SECONDS if failure else None
    generations.tidy(tx, scan.id, number, again)
    event = "not deleted at the vendor yet" if failure else "deleted at the vendor"
    events.record(tx, scan.id, event, generation=number, **({"reason": failure} if failure else {}))
