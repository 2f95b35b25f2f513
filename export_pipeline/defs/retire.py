"""Retiring: settled scans leave Dagster's partitions, so that these stay few enough to show.

Ledger, catalog, archive and event log keep everything of them; `scans activate` brings one back.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import dagster as dg

from export_pipeline.defs.runs import has_unfinished, held_run, uses_partitions
from export_pipeline.defs.slices import Slice
from export_pipeline.errors import ConfigError
from export_pipeline.ledger import retirement
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.settings import Settings

CRON = "*/10 * * * *"
DAY_SECONDS = 86_400.0
NEAR_LIMIT = 95_000
"""Dagster recommends 100,000 partitions at most; what is asked for by hand adds to it."""
SCANS_PER_RUN = 5_000
SCANS_PER_TRANSACTION = 20
"""Dagster takes keys away one at a time, 4 ms each on SQLite, while the ledger's writers wait."""
PAUSE_SECONDS = 0.05
"""Between two transactions, in which those writers have their turn."""
_NEEDS = {"ledger", "settings"}


class Retiring(NamedTuple):
    """A vendor's job that retires, and the schedule that starts it."""

    job: dg.JobDefinition
    schedule: dg.ScheduleDefinition


def vendor_retiring(slice_: Slice) -> Retiring:
    """What keeps the vendor's partitions few."""
    job = _job(slice_)
    return Retiring(job, _schedule(slice_, job))


def _job(slice_: Slice) -> dg.JobDefinition:
    @dg.op(name=f"{slice_.vendor}_retire_op", required_resource_keys=_NEEDS, out=dg.Out(dg.Nothing))
    def run(context: dg.OpExecutionContext) -> None:
        ledger, settings = context.resources.ledger.open(), context.resources.settings.read()
        with held_run(ledger, context.run.run_id):
            retired = retire(context.instance, slice_, ledger, settings)
        context.log.info("retired %s scans: `scans activate ID` brings one back", retired)

    @dg.job(
        name=f"{slice_.vendor}_retire",
        description="Take the partitions of scans settled long ago away; nothing else changes.",
        tags={**slice_.tags, "dagster/max_runtime": "3600"},
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        run()

    return job


def _schedule(slice_: Slice, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=job.name,
        job=job,
        cron_schedule=CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Retires scans as EXPORT_RETIRE_DAYS and EXPORT_ACTIVE_SCANS say.",
        required_resource_keys=_NEEDS,
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            settings = context.resources.settings.read()
        except ConfigError as error:
            return dg.SkipReason(str(error))
        with context.resources.ledger.open().read() as tx:
            if not _retirable(tx, slice_, settings, limit=1):
                return dg.SkipReason("nothing to retire")
        if uses_partitions(context.instance) or has_unfinished(context.instance, job.name):
            return dg.SkipReason("a run or a backfill needs the partitions as they are")
        return dg.RunRequest()

    return schedule


def retire(
    instance: dg.DagsterInstance,
    slice_: Slice,
    ledger: Ledger,
    settings: Settings,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Take partitions away that are due, as long as no run or backfill uses any; return how many.

    Dagster is told before the ledger commits: a crash between the two repeats both. What is
    ordered, activated or to be shown meanwhile keeps its partition.
    """
    with ledger.read() as tx:
        due = _retirable(tx, slice_, settings, SCANS_PER_RUN)
    retired = 0
    for start in range(0, len(due), SCANS_PER_TRANSACTION):
        if uses_partitions(instance):
            break
        with ledger.write() as tx:
            gone = retirement.retire(tx, slice_.vendor, due[start : start + SCANS_PER_TRANSACTION])
            slice_.delete_partitions(instance, [scan.key.partition_key for scan in gone])
        retired += len(gone)
        sleep(PAUSE_SECONDS)
    return retired


def _retirable(tx: Tx, slice_: Slice, settings: Settings, limit: int) -> list[int]:
    return retirement.retirable(
        tx,
        slice_.vendor,
        quiet_seconds=settings.retire_days * DAY_SECONDS,
        active_limit=min(settings.active_scans, NEAR_LIMIT),
        limit=limit,
    )
