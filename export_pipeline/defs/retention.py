"""Retention: scans that were sealed longer ago than they are kept are forgotten, once a day."""

from typing import NamedTuple

import dagster as dg

from export_pipeline.defs.forget import DagsterView
from export_pipeline.defs.runs import run_held
from export_pipeline.defs.slices import Slice

CRON = "30 3 * * *"


class Retention(NamedTuple):
    """A vendor's job that forgets, and the schedule that starts it."""

    job: dg.JobDefinition
    schedule: dg.ScheduleDefinition


def vendor_retention(slice_: Slice) -> Retention:
    """What forgets the vendor's scans as EXPORT_RETENTION_DAYS says; off from the start."""
    job = _job(slice_)
    schedule = dg.ScheduleDefinition(
        name=f"{job.name}_daily",
        job=job,
        cron_schedule=CRON,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Forgets scans sealed longer ago than EXPORT_RETENTION_DAYS, for good.",
        tags=slice_.tags,
    )
    return Retention(job, schedule)


def _job(slice_: Slice) -> dg.JobDefinition:
    @dg.op(
        name=f"{slice_.vendor}_retention_op",
        required_resource_keys={slice_.vendor},
        out=dg.Out(dg.Nothing),
    )
    def run(context: dg.OpExecutionContext) -> None:
        pipeline = getattr(context.resources, slice_.vendor).pipeline()
        days = pipeline.settings.retention(slice_.vendor)
        if days is None:
            context.log.info("no EXPORT_RETENTION_DAYS is set: all scans are kept")
            return
        # It brings PyArrow, a seventh of what it costs to start a run.
        from export_pipeline.workflow.forgetting.retention import retain  # noqa: PLC0415

        told = run_held(context, pipeline, retain(pipeline, days, DagsterView(context.instance)))
        more = "; more are due, for the next run" if told.left else ""
        context.log.info("forgot %s scans%s", told.forgotten, more)
        if told.stays:
            context.log.info("what stays: %s", "; ".join(told.stays))
        if told.kept:
            raise dg.Failure(f"due, and not forgotten: {'; '.join(told.kept)}", allow_retries=False)

    @dg.job(
        name=f"{slice_.vendor}_retention",
        description="Forget scans that were sealed longer ago than they are kept.",
        tags={**slice_.tags, "dagster/max_runtime": "3600"},
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        run()

    return job
