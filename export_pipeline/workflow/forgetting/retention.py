"""Retention: forget what was sealed longer ago than its vendor's scans are kept."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from export_pipeline.errors import NotForgotten
from export_pipeline.ledger import retention
from export_pipeline.ledger.retention import Due
from export_pipeline.ledger.rows import Scan
from export_pipeline.workflow.forgetting.forget import PATIENCE_SECONDS, View, forget
from export_pipeline.workflow.forgetting.forgettable import look
from export_pipeline.workflow.pipeline import Pipeline

REASON = "retention"
"""Why, on the tombstones."""
SCANS_PER_TURN = 100
"""Scans forgotten together: each turn writes the archive's tables anew."""
SCANS_PER_RUN = 1_000
LOOKS_PER_RUN = 5_000
"""Scans looked at in the store, of which something may keep all: some ten minutes of requests."""
PROBLEMS_KEPT = 100


@dataclass
class Retained:
    """What a run of the retention came to.

    Args:
        forgotten: how many scans.
        objects: how many objects of theirs, every version counted.
        kept: why others that were due were not forgotten, and what may still name those that
            were, of the first `PROBLEMS_KEPT`.
        left: whether more are due, for the next run.
        stays: what still names those forgotten and no call can delete, a sentence each.
    """

    forgotten: int = 0
    objects: int = 0
    kept: list[str] = field(default_factory=list)
    left: bool = False
    stays: list[str] = field(default_factory=list)


async def due(pipeline: Pipeline, days: int, after: int = 0) -> AsyncIterator[Due]:
    """Yield each scan of the vendor that is due, in order of row id, beyond `after`."""
    while page := await pipeline.ledger.look(
        retention.due, pipeline.vendor.name, days, after=after, limit=SCANS_PER_TURN
    ):
        for one in page:
            yield one
        after = page[-1].scan.id


async def retain(
    pipeline: Pipeline,
    days: int,
    view: View,
    *,
    limit: int = SCANS_PER_RUN,
    looks: int = LOOKS_PER_RUN,
) -> Retained:
    """Forget `limit` scans that are due, one that something keeps passed over and not counted.

    At most `looks` scans are looked at, and the next run goes on behind them: so what is kept has
    its turn again, and never keeps others from theirs. It ends as soon as nothing at all can be
    forgotten, such as while Dagster runs a backfill.

    Raises:
        StoreError: the store failed; the next run goes on.
    """
    told = Retained()
    batch: list[Scan] = []
    begun = await pipeline.ledger.look(retention.place, pipeline.vendor.name)
    async for one in _round(pipeline, days, begun):
        if told.forgotten >= limit or looks <= 0:
            told.left = True
        if told.left:
            break
        batch.append(one.scan)
        looks -= 1
        if len(batch) == min(SCANS_PER_TURN, limit - told.forgotten):
            await _forget(pipeline, batch, view, told)
            batch = []
    await _forget(pipeline, batch, view, told)
    await pipeline.ledger.apply(retention.ran, pipeline.vendor.name)
    return told


async def _round(pipeline: Pipeline, days: int, begun: int) -> AsyncIterator[Due]:
    """Every scan that is due once: those beyond a row id, then those up to it."""
    async for one in due(pipeline, days, begun):
        yield one
    async for one in due(pipeline, days):
        if one.scan.id > begun:
            return
        yield one


async def _forget(pipeline: Pipeline, scans: Sequence[Scan], view: View, told: Retained) -> None:
    if not scans:
        return
    candidates = [await look(pipeline, one.key) for one in scans]
    free = [one for one in candidates if not one.obstacles]
    kept = [words for one in candidates for words in one.obstacles]
    try:
        if free:
            done = await forget(pipeline, free, view, reason=REASON, patience=PATIENCE_SECONDS)
            told.forgotten += len(done.keys)
            told.objects += done.objects
            kept += done.unreadable
            told.stays = list(dict.fromkeys([*told.stays, *done.stays]))
        await pipeline.ledger.apply(retention.looked, pipeline.vendor.name, scans[-1].id)
    except NotForgotten as error:
        kept.append(str(error))
        told.left = True
    told.kept = list(dict.fromkeys([*told.kept, *kept]))[:PROBLEMS_KEPT]
