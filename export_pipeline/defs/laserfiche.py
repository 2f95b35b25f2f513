"""Laserfiche in Dagster (seed 001): documents of a repository, partitioned by entry id."""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from export_pipeline.defs.jobs import job_name
from export_pipeline.defs.looking import NamedLook, look_at_each
from export_pipeline.defs.runs import has_unfinished, run_held
from export_pipeline.defs.slices import Slice
from export_pipeline.defs.vendors import vendor_definitions
from export_pipeline.errors import ConfigError
from export_pipeline.ledger.bulk import Registered
from export_pipeline.settings import Settings
from export_pipeline.vendors.laserfiche.artifacts import KINDS
from export_pipeline.vendors.laserfiche.discovery import discover, sources
from export_pipeline.vendors.laserfiche.exports import Laserfiche
from export_pipeline.vendors.laserfiche.options import LaserficheAccount, LaserficheOptions
from export_pipeline.vendors.options import configure
from export_pipeline.workflow.pipeline import Pipeline

LASERFICHE = Slice("laserfiche", KINDS, is_asked=True)


def laserfiche(settings: Settings) -> dg.Definitions:
    """Everything that Dagster has of Laserfiche."""
    options = configure(LaserficheOptions, LaserficheAccount, settings.vendor_variables).options
    job = _discover_job()
    sensor = _discovery_sensor(job, options.discovery_seconds)
    found = vendor_definitions(LASERFICHE, settings)
    return dg.Definitions.merge(found, dg.Definitions(jobs=[job], sensors=[sensor]))


def _discover_job() -> dg.JobDefinition:
    @dg.op(
        name=f"{LASERFICHE.vendor}_discover_op",
        required_resource_keys={LASERFICHE.vendor},
        out=dg.Out(dg.Nothing),
    )
    def look(context: dg.OpExecutionContext) -> None:
        pipeline = getattr(context.resources, LASERFICHE.vendor).pipeline()
        looked = run_held(context, pipeline, look_at_each(_looks(pipeline)))
        for source, found in looked.found.items():
            told = (source, found.new, found.updated, found.forgotten)
            context.log.info("%s: %s new, %s changed, %s once forgotten and left out", *told)
        looked.require_all()
        pipeline.vendor.require_all()

    @dg.job(
        name=job_name(LASERFICHE.vendor, "discover"),
        description="Register new and changed documents of each account's folder and search.",
        tags=LASERFICHE.tags,
        executor_def=dg.in_process_executor,
    )
    def discover_documents() -> None:
        look()

    return discover_documents


def _looks(pipeline: Pipeline) -> Iterator[NamedLook[Registered]]:
    vendor, secret = _vendor(pipeline), pipeline.settings.tombstone_secret
    for account in vendor.accounts:
        client = vendor.client(account)
        for source in sources(client.api.account):
            work = partial(discover, client, source, vendor.options, pipeline.ledger, secret)
            yield f"{source.name} of account {account}", work


def _discovery_sensor(job: dg.JobDefinition, seconds: int) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{LASERFICHE.vendor}_discovery",
        job_name=job.name,
        description="Starts a look for new and changed documents, where an account names a source.",
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={LASERFICHE.vendor},
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason | dg.RunRequest:
        try:
            vendor = _vendor(getattr(context.resources, LASERFICHE.vendor).pipeline())
            accounts = [vendor.client(name).api.account for name in vendor.accounts]
            has_source = any(sources(account) for account in accounts)
            if not has_source:
                vendor.require_all()
        except ConfigError as error:
            return dg.SkipReason(str(error))
        if not has_source:
            return dg.SkipReason(
                "no account names where to look: set EXPORT_LASERFICHE_FOLDER or _SEARCH"
            )
        if has_unfinished(context.instance, job.name):
            return dg.SkipReason(f"a run of {job.name} is at it")
        return dg.RunRequest(tags=LASERFICHE.tags)

    return sensor


def _vendor(pipeline: Pipeline) -> Laserfiche:
    if not isinstance(pipeline.vendor, Laserfiche):
        raise TypeError(f"{pipeline.vendor.name} is not Laserfiche")
    return pipeline.vendor
