"""Schedules: the nightly archival, and the bulk backfill that feeds the backlog."""

from collections.abc import Sequence

import dagster as dg

from export_pipeline.defs.jobs import Jobs
from export_pipeline.defs.slices import Slice
from export_pipeline.ledger.rows import QueueClass

NIGHTLY_CRON = "0 2 * * *"
BACKLOG_CRON = "*/10 * * * *"


def vendor_schedules(slice_: Slice, jobs: Jobs) -> Sequence[dg.ScheduleDefinition]:
    """The schedules of one vendor: nightly is on from the start, the backlog is off."""
    return [
        _schedule(
            slice_,
            jobs,
            "nightly",
            NIGHTLY_CRON,
            QueueClass.NIGHTLY,
            dg.DefaultScheduleStatus.RUNNING,
            "Queues every registered scan that is not archived yet.",
        ),
        _schedule(
            slice_,
            jobs,
            "backlog",
            BACKLOG_CRON,
            QueueClass.BACKLOG,
            dg.DefaultScheduleStatus.STOPPED,
            "Keeps the backlog class of the queue fed, soonest to expire first.",
        ),
    ]


def _schedule(
    slice_: Slice,
    jobs: Jobs,
    name: str,
    cron: str,
    queue_class: QueueClass,
    status: dg.DefaultScheduleStatus,
    description: str,
) -> dg.ScheduleDefinition:
    config = {"queue_class": queue_class.name.lower()}
    return dg.ScheduleDefinition(
        name=f"{slice_.vendor}_{name}",
        job=jobs.queue,
        cron_schedule=cron,
        run_config={"ops": {f"{slice_.vendor}_queue_op": {"config": config}}},
        default_status=status,
        description=description,
        tags=slice_.tags,
    )
