"""Make the next generation of a scan out of one that cannot be completed as it is.

Used where bytes arrived broken (create-only writes leave no room for better ones under the same
name), and by hand for sealed bags that lack something. What was verified is copied inside the
store; only the rest is ordered.
"""

import asyncio
from collections.abc import Sequence

from export_pipeline.concurrency import all_of
from export_pipeline.errors import AlreadyExists, NotFound
from export_pipeline.ledger import artifacts, events, generations, orders, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import (
    Artifact,
    ArtifactState,
    Generation,
    GenerationState,
    QueueClass,
    Scan,
    ScanState,
)
from export_pipeline.vendors.artifacts import Availability
from export_pipeline.workflow.decide import spent
from export_pipeline.workflow.order import order_artifacts
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.settle import finish, report_kinds

COPIES_AT_ONCE = 16


async def renew(pipeline: Pipeline, scan: Scan, generation: Generation) -> bool:
    """Go on in a new generation without the broken bytes of this one.

    Returns:
        True if this generation is frozen again and is to be sealed without them, since the
        attempts are spent.
    """
    settled = await pipeline.ledger.look(_artifacts, scan, generation)
    broken = [one for one in settled if one.state == ArtifactState.BROKEN]
    attempt = await pipeline.ledger.look(_last_attempt, broken)
    if spent(attempt, pipeline.settings.attempts):
        await _remove(pipeline, scan, broken)
        return await pipeline.ledger.apply(_give_up, scan, generation, broken)
    await _copy_verified(pipeline, scan, generation.number, settled)
    # Removed before the ledger says so: after a crash between, the next try finds the copies.
    await _remove(pipeline, scan, settled)
    await pipeline.ledger.apply(_replace, pipeline, scan, generation, attempt + 1)
    return False


async def renew_sealed(pipeline: Pipeline, scan: Scan, queue_class: QueueClass) -> bool:
    """Order what a sealed generation lacks into the next one; False if nothing can be had."""
    generation = await pipeline.ledger.look(generations.current, scan)
    if generation is None or generation.state != GenerationState.SEALED:
        return False
    settled = await pipeline.ledger.look(_artifacts, scan, generation)
    if not _can_be_had(pipeline, scan, settled):
        return False
    await _copy_verified(pipeline, scan, generation.number, settled)
    return await pipeline.ledger.apply(_open_next, pipeline, scan, generation, 1, queue_class)


def _can_be_had(pipeline: Pipeline, scan: Scan, settled: Sequence[Artifact]) -> bool:
    missing = [one for one in settled if one.state == ArtifactState.MISSING]
    unknown_by_now = {
        one.name for one in pipeline.vendor.plan(scan) if one.availability == Availability.MISSING
    }
    return any(one.name not in unknown_by_now for one in missing)


def _artifacts(tx: Tx, scan: Scan, generation: Generation) -> list[Artifact]:
    return artifacts.of_generation(tx, scan.id, generation.number)


def _last_attempt(tx: Tx, broken: Sequence[Artifact]) -> int:
    found = [orders.get(tx, one.order_id) for one in broken if one.order_id]
    return max((order.attempt for order in found if order is not None), default=1)


async def _copy_verified(
    pipeline: Pipeline, scan: Scan, number: int, settled: Sequence[Artifact]
) -> None:
    gate = asyncio.Semaphore(COPIES_AT_ONCE)

    async def copy(name: str) -> None:
        source, target = (pipeline.key(scan, one, name) for one in (number, number + 1))
        async with gate:
            if await pipeline.store.stat(target) is not None:
                return  # an earlier try at this renewal copied it
            try:
                await pipeline.store.copy(source, target)
            except (AlreadyExists, NotFound):
                # Another process renews it too, and may have removed the source by now.
                if await pipeline.store.stat(target) is None:
                    raise

    await all_of(*[copy(one.name) for one in settled if one.state == ArtifactState.VERIFIED])


async def _remove(pipeline: Pipeline, scan: Scan, files: Sequence[Artifact]) -> None:
    """Delete what an unsealed generation holds and no bag will."""
    for one in files:
        if one.state in (ArtifactState.BROKEN, ArtifactState.VERIFIED):
            await pipeline.store.delete(pipeline.key(scan, one.generation, one.name))


def _give_up(tx: Tx, scan: Scan, generation: Generation, broken: Sequence[Artifact]) -> bool:
    current = generations.find(tx, scan.id, generation.number)
    if current is None or current.state != GenerationState.FROZEN:
        return False
    for artifact in broken:
        reason = f"arrived broken at every attempt: {artifact.reason}"
        artifacts.missing(tx, artifact, reason)
    generations.thaw(tx, scan.id, generation.number)
    report_kinds(tx, scan, generation.number, [one.kind for one in broken])
    return finish(tx, scan, generation.number)


def _replace(tx: Tx, pipeline: Pipeline, scan: Scan, generation: Generation, attempt: int) -> bool:
    if not generations.abandon(tx, scan.id, generation.number):
        return False
    before = orders.of_scan(tx, scan.id, generation.number)
    queue_class = before[0].queue_class if before else QueueClass.HAND
    return _open_next(tx, pipeline, scan, generation, attempt, queue_class)


def _open_next(
    tx: Tx,
    pipeline: Pipeline,
    scan: Scan,
    generation: Generation,
    attempt: int,
    queue_class: QueueClass,
) -> bool:
    scan = registry.by_id(tx, scan.id)
    if scan.generation != generation.number or scan.state == ScanState.FORGOTTEN:
        return False
    settled = artifacts.of_generation(tx, scan.id, generation.number)
    number = generations.open_next(tx, scan, wants_bag=generation.wants_bag)
    events.record(tx, scan.id, "renewed", generation=number, replaces=generation.number)
    for artifact in settled:
        if artifact.availability != Availability.MISSING:  # else it is planned anew
            artifacts.carry_over(tx, artifact, number)
    scan = registry.by_id(tx, scan.id)
    kinds = None if generation.wants_bag else {one.kind for one in settled}
    order_artifacts(
        tx, pipeline.vendor, scan, number, kinds, attempt=attempt, queue_class=queue_class
    )
    finish(tx, scan, number)
    return True
