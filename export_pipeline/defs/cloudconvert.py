"""CloudConvert in Dagster (seed 003): files of jobs and tasks, partitioned by their ids."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product

import dagster as dg

from export_pipeline.defs.jobs import job_name
from export_pipeline.defs.looking import NamedLook, look_at_each
from export_pipeline.defs.runs import run_held
from export_pipeline.defs.slices import Slice
from export_pipeline.defs.vendors import vendor_definitions
from export_pipeline.errors import ConfigError
from export_pipeline.ledger.rows import QueueClass
from export_pipeline.scans import DEFAULT_ACCOUNT
from export_pipeline.settings import Settings
from export_pipeline.vendors.cloudconvert.artifacts import KINDS
from export_pipeline.vendors.cloudconvert.discovery import Look, discover
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.workflow.conversions import convert_sealed
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.register import queue_registered

CLOUDCONVERT = Slice("cloudconvert", KINDS, is_asked=True)
DISCOVERY_CRON = "7 * * * *"
"""Everything is deleted 24 hours after its end (seed 003): a look that fails has 22 more."""
SCANS_PER_TRANSACTION = 100
CONVERSIONS_PER_TICK = 200
"""Ordered in one transaction, while the ledger's writers wait."""


def cloudconvert(settings: Settings) -> dg.Definitions:
    """Everything that Dagster has of CloudConvert."""
    job = _discover_job()
    own = dg.Definitions(
        jobs=[job],
        schedules=[_discovery_schedule(job)],
        sensors=[_conversion_sensor(settings.sensor_seconds)],
    )
    return dg.Definitions.merge(vendor_definitions(CLOUDCONVERT, settings), own)


def _discovery_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{CLOUDCONVERT.vendor}_discovery",
        job_name=job.name,
        cron_schedule=DISCOVERY_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Looks for what finished, and orders it, well before it is deleted.",
        required_resource_keys={CLOUDCONVERT.vendor},
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.SkipReason | dg.RunRequest:
        try:
            vendor = _vendor(getattr(context.resources, CLOUDCONVERT.vendor).pipeline())
            if not vendor.accounts:
                vendor.require_all()
        except ConfigError as error:
            return dg.SkipReason(str(error))
        if not vendor.accounts or not vendor.options.discover:
            return dg.SkipReason(
                "nothing to look for: set EXPORT_CLOUDCONVERT_KEY, and"
                " EXPORT_CLOUDCONVERT_DISCOVER to other than none"
            )
        return dg.RunRequest(tags=CLOUDCONVERT.tags)

    return schedule


def _conversion_sensor(seconds: int) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{CLOUDCONVERT.vendor}_pdfa",
        description="Orders a PDF/A of each Copyleaks report that was archived, if EXPORT_PDFA.",
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={CLOUDCONVERT.vendor},
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        try:
            pipeline = getattr(context.resources, CLOUDCONVERT.vendor).pipeline()
            if not pipeline.settings.pdfa:
                return dg.SkipReason("EXPORT_PDFA is not set")
            pipeline.vendor.require(DEFAULT_ACCOUNT)
        except ConfigError as error:
            return dg.SkipReason(str(error))
        with pipeline.ledger.write() as tx:
            secret = pipeline.settings.tombstone_secret
            found = convert_sealed(tx, pipeline.vendor, limit=CONVERSIONS_PER_TICK, secret=secret)
        return dg.SkipReason(f"ordered {found} conversions")

    return sensor


def _discover_job() -> dg.JobDefinition:
    @dg.op(
        name=f"{CLOUDCONVERT.vendor}_discover_op",
        required_resource_keys={CLOUDCONVERT.vendor},
        out=dg.Out(dg.Nothing),
    )
    def look(context: dg.OpExecutionContext) -> None:
        pipeline = getattr(context.resources, CLOUDCONVERT.vendor).pipeline()
        looked = run_held(context, pipeline, look_at_each(_looks(pipeline)))
        _tell(context, looked.found)
        if pipeline.settings.order_on_webhook:
            context.log.info("queued %s", _queue(pipeline))
        looked.require_all()
        pipeline.vendor.require_all()

    @dg.job(
        name=job_name(CLOUDCONVERT.vendor, "discover"),
        description="Register finished jobs and tasks, and order them, soonest to end first.",
        tags=CLOUDCONVERT.tags,
        executor_def=dg.in_process_executor,
    )
    def discover_finished() -> None:
        look()

    return discover_finished


def _looks(pipeline: Pipeline) -> Iterator[NamedLook[Look]]:
    vendor, secret = _vendor(pipeline), pipeline.settings.tombstone_secret
    for account, found in product(vendor.accounts, vendor.options.discover):
        work = partial(discover, vendor.client(account), vendor.options, pipeline.ledger, found)
        yield f"{found} of account {account}", partial(work, secret=secret)


def _tell(context: dg.OpExecutionContext, looks: Mapping[str, Look]) -> None:
    for source, look in looks.items():
        context.log.info("%s: %s new", source, look.new)
        if look.missed is not None:
            began, ended = (f"{moment:%Y-%m-%d %H:%M} UTC" for moment in look.missed)
            context.log.warning(
                "%s: what ended from %s to %s was deleted at the vendor before anybody looked:"
                " this schedule has to run at least once a day",
                *(source, began, ended),
            )


def _queue(pipeline: Pipeline) -> int:
    """Order all that is registered, soonest to end first; return how many scans."""
    queued, chosen = 0, SCANS_PER_TRANSACTION
    while chosen == SCANS_PER_TRANSACTION:
        with pipeline.ledger.write() as tx:
            found = queue_registered(tx, pipeline.vendor, QueueClass.NIGHTLY, SCANS_PER_TRANSACTION)
        chosen = len(found)
        queued += chosen
    return queued


def _vendor(pipeline: Pipeline) -> CloudConvert:
    if not isinstance(pipeline.vendor, CloudConvert):
        raise TypeError(f"{pipeline.vendor.name} is not CloudConvert")
    return pipeline.vendor
