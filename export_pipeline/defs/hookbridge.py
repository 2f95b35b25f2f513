"""HookBridge in Dagster (seed 002): delivery logs, partitioned by daily window or export id."""

import time
from collections.abc import Iterable
from datetime import date, datetime

import dagster as dg
from pydantic import Field

from export_pipeline.defs.jobs import job_name
from export_pipeline.defs.slices import Slice
from export_pipeline.defs.vendors import vendor_definitions
from export_pipeline.ledger import cursors
from export_pipeline.ledger.bulk import NewScan, register_many
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.vendors.hookbridge.artifacts import KINDS
from export_pipeline.vendors.hookbridge.options import HookBridgeOptions
from export_pipeline.vendors.hookbridge.windows import due, over_until
from export_pipeline.vendors.options import read_options
from export_pipeline.vendors.vendor import Registration
from export_pipeline.workflow.importing import SCANS_PER_TRANSACTION, in_batches
from export_pipeline.workflow.pipeline import Pipeline

HOOKBRIDGE = Slice("hookbridge", KINDS, is_asked=True)
WINDOWS_CRON = "30 1 * * *"
"""Before the nightly schedule queues what is registered."""


class WindowsConfig(dg.Config):
    """The days whose windows a run registers."""

    start: str = Field(
        default="",
        description="The first one, such as 2026-11-21; empty: EXPORT_HOOKBRIDGE_START, or the day"
        " after the last one that the schedule registered, or yesterday.",
    )
    until: str = Field(default="", description="The day after the last one; empty: today.")


def hookbridge(settings: Settings) -> dg.Definitions:
    """Everything that Dagster has of HookBridge."""
    job = _windows_job()
    schedule = dg.ScheduleDefinition(
        name=job.name,
        job=job,
        cron_schedule=WINDOWS_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Registers the window of each day that is over and not registered yet.",
        tags=HOOKBRIDGE.tags,
    )
    found = vendor_definitions(HOOKBRIDGE, settings)
    return dg.Definitions.merge(found, dg.Definitions(jobs=[job], schedules=[schedule]))


def _windows_job() -> dg.JobDefinition:
    @dg.op(
        name=f"{HOOKBRIDGE.vendor}_windows_op",
        required_resource_keys={HOOKBRIDGE.vendor},
        out=dg.Out(dg.Nothing),
    )
    def register(context: dg.OpExecutionContext, config: WindowsConfig) -> None:
        pipeline = getattr(context.resources, HOOKBRIDGE.vendor).pipeline()
        days = (_day("start", config.start), _day("until", config.until))
        new = sum(_register_due(pipeline, one, *days) for one in pipeline.vendor.accounts)
        context.log.info("registered %s windows", new)
        pipeline.vendor.require_all()

    @dg.job(
        name=job_name(HOOKBRIDGE.vendor, "windows"),
        description="Register the windows of days that are over.",
        tags=HOOKBRIDGE.tags,
        executor_def=dg.in_process_executor,
    )
    def windows() -> None:
        register()

    return windows


def _day(field: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise dg.Failure(f"{field}: {text!r} is no day such as 2026-11-21") from None


def _register_due(pipeline: Pipeline, account: str, start: date | None, until: date | None) -> int:
    """Register what is due; a run without days of its own goes on where the one before ended."""
    options = read_options(HookBridgeOptions, pipeline.settings.vendor_variables)
    cursor, now = f"{HOOKBRIDGE.vendor}/{account}/windows", time.time()
    with pipeline.ledger.read() as tx:
        told = cursors.load(tx, cursor)
    known = None if told is None else datetime.fromisoformat(told)
    new = _register(pipeline, account, due(options, now, start, until, known))
    if start is None and until is None:
        with pipeline.ledger.write() as tx:
            cursors.save(tx, cursor, over_until(options, now).isoformat())
    return new


def _register(pipeline: Pipeline, account: str, found: Iterable[Registration]) -> int:
    new = 0
    for batch in in_batches(found, SCANS_PER_TRANSACTION):
        scans = [
            NewScan(ScanKey(HOOKBRIDGE.vendor, account, one.scan), one.details, one.expires_at)
            for one in batch
        ]
        with pipeline.ledger.write() as tx:
            secret = pipeline.settings.tombstone_secret
            new += register_many(tx, scans, source="schedule", secret=secret).new
    return new
