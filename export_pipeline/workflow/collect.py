"""Collect: look in the store for what completed orders brought, verify it, settle it, seal."""

import asyncio
from collections.abc import Sequence

from export_pipeline.archive.verify import Verdict, verify
from export_pipeline.concurrency import all_of
from export_pipeline.errors import StoreError
from export_pipeline.ledger import artifacts, placed, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Artifact, ArtifactState, Order, Scan
from export_pipeline.storage.store import Store
from export_pipeline.workflow.bring import Failure, bring
from export_pipeline.workflow.lease import LEASE_SECONDS, held
from export_pipeline.workflow.outcome import Looked, settle_order
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.seal import seal_if_possible

SCANS_AT_ONCE = 8
FILES_AT_ONCE = 16


async def collect(pipeline: Pipeline, *, limit: int, scan_ids: Sequence[int] | None = None) -> int:
    """Collect up to `limit` completed orders, of some scans or of all; return how many.

    Raises:
        StoreError: the store failed at one of them; the others are collected all the same, and
            that one is free for the next round.
    """
    taken = await pipeline.ledger.apply(
        placed.take_completed,
        pipeline.vendor.name,
        pipeline.owner,
        limit=limit,
        seconds=LEASE_SECONDS,
        scan_ids=scan_ids,
    )
    gate = asyncio.Semaphore(SCANS_AT_ONCE)

    async def gated(order: Order) -> None:
        async with gate:
            try:
                await collect_order(pipeline, order)
            except StoreError:
                await pipeline.ledger.apply(placed.release, order.id)
                raise

    await all_of(*map(gated, taken))
    return len(taken)


async def collect_order(pipeline: Pipeline, order: Order) -> None:
    """Bring and verify what one order made, settle it, and seal its generation if it was last."""
    async with held(pipeline, order):
        looked = await _look(pipeline, order)
    if await pipeline.ledger.apply(settle_order, pipeline, looked):
        await seal_if_possible(pipeline, looked.scan, order.generation)


async def _look(pipeline: Pipeline, order: Order) -> Looked:
    scan, files = await pipeline.ledger.look(_of_order, order)
    gate = asyncio.Semaphore(FILES_AT_ONCE)
    verdicts: dict[str, Verdict] = {}
    checksums: dict[str, str | None] = {}
    failures: dict[str, Failure] = {}

    async def look_at(artifact: Artifact) -> None:
        key = pipeline.key(scan, order.generation, artifact.name)
        async with gate:
            brought = await bring(pipeline, scan, order, artifact)
            verdict = await verify(
                pipeline.store,
                key,
                pipeline.kind(artifact.kind).opener,
                expected_size=brought.size,
                expected_sha256=brought.sha256,
            )
            if verdict.passed:
                checksums[artifact.name] = await _checksum(pipeline.store, key)
        verdicts[artifact.name] = verdict
        if brought.failure is not None and not verdict.present:
            failures[artifact.name] = brought.failure

    await all_of(*[look_at(one) for one in files if one.state == ArtifactState.EXPECTED])
    return Looked(order, scan, verdicts, checksums, failures)


async def _checksum(store: Store, key: str) -> str | None:
    if not store.capabilities.checksums:
        return None  # and a look for it would cost each file a call
    found = await store.stat(key)
    return None if found is None else found.checksum


def _of_order(tx: Tx, order: Order) -> tuple[Scan, list[Artifact]]:
    return registry.by_id(tx, order.scan_id), artifacts.of_order(tx, order.id)
