"""Retention: forget what was sealed longer ago than its vendor's scans are kept."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from export_pipeline.errors import NotForgotten
from export_pipeline.ledger import retention
from export_pipeline.ledger.retention import Due
from export_pipeline.scans import ScanKey
from export_pipeline.workflow.forgetting.forget import PATIENCE_SECONDS, View, forget
from export_pipeline.workflow.forgetting.forgettable import look
from export_pipeline.workflow.pipeline import Pipeline

REASON = "retention"
"""Why, on the tombstones."""
SCANS_PER_TURN = 100
"""Scans forgotten together: each turn writes the archive's tables anew."""
SCANS_PER_RUN = 1_000
PROBLEMS_KEPT = 100


@dataclass
class Retained:
    """What a run of the retention came to.

    Args:
        forgotten: how many scans.
        objects: how many objects of theirs, every version counted.
        kept: why others that were due were not forgotten, of the first `PROBLEMS_KEPT`.
        left: whether more are due, for the next run.
        stays: what still names those forgotten and no call can delete, a sentence each.
    """

    forgotten: int = 0
    objects: int = 0
    kept: list[str] = field(default_factory=list)
    left: bool = False
    stays: list[str] = field(default_factory=list)


async def due(pipeline: Pipeline, days: int) -> AsyncIterator[Due]:
    """Yield every scan of the vendor that is due, in order of registration."""
    after = 0
    while page := await pipeline.ledger.look(
        retention.due, pipeline.vendor.name, days, after=after, limit=SCANS_PER_TURN
    ):
        for one in page:
            yield one
        after = page[-1].scan.id


async def retain(
    pipeline: Pipeline, days: int, view: View, *, limit: int = SCANS_PER_RUN
) -> Retained:
    """Forget `limit` scans that are due, one that something keeps passed over and not counted.

    It ends as soon as nothing at all can be forgotten, such as while Dagster runs a backfill.

    Raises:
        StoreError: the store failed; the next run goes on.
    """
    told = Retained()
    batch: list[ScanKey] = []
    async for one in due(pipeline, days):
        if told.forgotten >= limit:
            told.left = True
        if told.left:
            break
        batch.append(one.scan.key)
        if len(batch) == min(SCANS_PER_TURN, limit - told.forgotten):
            await _forget(pipeline, batch, view, told)
            batch = []
    await _forget(pipeline, batch, view, told)
    await pipeline.ledger.apply(retention.ran, pipeline.vendor.name)
    return told


async def _forget(pipeline: Pipeline, keys: list[ScanKey], view: View, told: Retained) -> None:
    candidates = [await look(pipeline, key) for key in keys]
    free = [one for one in candidates if not one.obstacles]
    kept = [words for one in candidates for words in one.obstacles]
    if free:
        try:
            done = await forget(pipeline, free, view, reason=REASON, patience=PATIENCE_SECONDS)
        except NotForgotten as error:
            kept.append(str(error))
            told.left = True
        else:
            told.forgotten += len(done.keys)
            told.objects += done.objects
            told.stays = list(dict.fromkeys([*told.stays, *done.stays]))
    told.kept += kept[: PROBLEMS_KEPT - len(told.kept)]
