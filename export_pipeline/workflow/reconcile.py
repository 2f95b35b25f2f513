"""Reconcile: find what is stuck, so that nothing depends on a webhook or on a living process."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from export_pipeline.concurrency import all_of
from export_pipeline.ledger import events, generations, placed, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import GenerationState, Scan
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.seal import seal
from export_pipeline.workflow.tidy import tidy

ORDERS_PER_TURN = 500
SEALS_PER_TURN = 100
SEALS_AT_ONCE = 8


@dataclass(frozen=True)
class Reconciled:
    """What a round found: orders looked after, sends repeated, seals finished."""

    late: int = 0
    abandoned: int = 0
    unsealed: int = 0


async def reconcile(pipeline: Pipeline) -> Reconciled:
    """One round over everything that should have gone on by itself and did not.

    Orders without a completion are looked for in the store (DESIGN.md part 3), sends whose
    process died are repeated by the same id, frozen generations without a seal get it, and what is
    archived is deleted at the vendor where the user asked for it.

    Raises:
        StoreError: the store failed at some scan; everything else is done all the same.
    """
    await read_completions(pipeline)
    found = await pipeline.ledger.apply(find_stuck, pipeline.vendor)
    unsealed = await pipeline.ledger.look(_unsealed, pipeline.vendor.name)
    await all_of(collect(pipeline, limit=ORDERS_PER_TURN), seal_all(pipeline, unsealed))
    await tidy(pipeline)
    return Reconciled(found.late, found.abandoned, len(unsealed))


def is_needed(tx: Tx, vendor: Vendor) -> bool:
    """Whether a round would find something; cheap, for a sensor."""
    is_stuck = placed.has_stuck(tx, vendor.name, is_asked=vendor.asking is not None)
    return is_stuck or any(
        find(tx, vendor.name, 1) for find in (generations.unsealed, generations.untidy)
    )


def find_stuck(tx: Tx, vendor: Vendor) -> Reconciled:
    """Give late orders to the collectors and unfinished sends back to the queue."""
    is_asked = vendor.asking is not None
    abandoned = placed.abandoned(tx, vendor.name)
    for order in abandoned:
        events.record(tx, order.scan_id, "queued again: its sender died", order.id)
    late = placed.late(tx, vendor.name, ORDERS_PER_TURN, is_asked=is_asked)
    silent = "not ended at its deadline" if is_asked else "no webhook"
    for order in late:
        events.record(tx, order.scan_id, f"{silent}: looking in the store", order.id)
    return Reconciled(late=len(late), abandoned=len(abandoned))


async def seal_all(pipeline: Pipeline, unsealed: Sequence[tuple[Scan, int]]) -> None:
    """Seal each of these generations.

    Raises:
        StoreError: the store failed at one of them; the others are sealed all the same.
    """
    gate = asyncio.Semaphore(SEALS_AT_ONCE)

    async def gated(scan: Scan, number: int) -> None:
        async with gate:
            await seal(pipeline, scan, number)

    await all_of(*[gated(scan, number) for scan, number in unsealed])


def frozen(tx: Tx, scan_ids: Sequence[int]) -> list[tuple[Scan, int]]:
    """Those of the scans, with their generations, that wait for nothing but their seal."""
    found = [(scan, generations.current(tx, scan)) for scan in registry.by_ids(tx, scan_ids)]
    return [
        (scan, generation.number)
        for scan, generation in found
        if generation is not None and generation.state == GenerationState.FROZEN
    ]


def _unsealed(tx: Tx, vendor: str) -> list[tuple[Scan, int]]:
    found = generations.unsealed(tx, vendor, SEALS_PER_TURN)
    return [(registry.by_id(tx, scan_id), number) for scan_id, number in found]
