"""Alerts: a sensor that notes what is wrong, and the job that tells the address that is set."""

import asyncio

import dagster as dg

from export_pipeline.defs.runs import ASSET_JOB, has_unfinished, held_run
from export_pipeline.defs.troubled import failed_runs, failing_ticks
from export_pipeline.errors import ConfigError
from export_pipeline.ledger import alerts as rows
from export_pipeline.ledger.database import Ledger
from export_pipeline.settings import Settings
from export_pipeline.vendors.http import make_client
from export_pipeline.vendors.open import open_vendors
from export_pipeline.workflow.alerting.address import Address, find_address
from export_pipeline.workflow.alerting.alerts import Sent, send_due
from export_pipeline.workflow.alerting.causes import read_causes
from export_pipeline.workflow.words import plural

LEAST_SECONDS = 60
"""Between two looks: what is wrong lasts longer than that."""
MOST_SECONDS = 1_800
"""Of a run: as long as 50 messages take if each comes close to its time-out."""
JOB = "alerts_send"


def alerts(settings: Settings) -> dg.Definitions:
    """The sensor, on from the start, and its job."""
    return dg.Definitions(jobs=[_job()], sensors=[_sensor(settings.sensor_seconds)])


def _sensor(seconds: int) -> dg.SensorDefinition:
    @dg.sensor(
        name="alerts",
        job_name=JOB,
        description="Notes what is wrong, and has it told where EXPORT_ALERT_URL says.",
        minimum_interval_seconds=max(seconds, LEAST_SECONDS),
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={"settings", "ledger"},
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason | dg.RunRequest:
        try:
            settings = context.resources.settings.read()
            count, is_due = _note(context, settings, context.resources.ledger.open())
            address = find_address(settings)
        except ConfigError as error:
            return dg.SkipReason(str(error))
        found = plural(count, "cause")
        if address is None:
            return dg.SkipReason(
                f"{found}, see `export-pipeline status`: EXPORT_ALERT_URL is unset"
            )
        if not is_due or has_unfinished(context.instance, JOB):
            return dg.SkipReason(f"{found}, of which none is to be told now")
        return dg.RunRequest()

    return sensor


def _note(
    context: dg.SensorEvaluationContext, settings: Settings, ledger: Ledger
) -> tuple[int, bool]:
    """Note every cause that there is; return how many, and whether a message is due."""
    repository = context.repository_def
    if repository is None:
        raise RuntimeError("Dagster evaluates this sensor without its code location")
    jobs = {*repository.job_names, ASSET_JOB} - {JOB}
    ticking = {sensor.name for sensor in repository.sensor_defs}
    ticking |= {schedule.name for schedule in repository.schedule_defs}
    vendors = open_vendors(settings, ledger)
    with ledger.read() as tx:
        causes = read_causes(tx, vendors, settings.order_deadline)
    causes += failed_runs(context.instance, jobs)
    causes += failing_ticks(context.instance, ticking)
    with ledger.write() as tx:
        rows.note(tx, causes, is_told=settings.alert_url is not None)
        return len(causes), rows.is_due(tx)


def _job() -> dg.JobDefinition:
    @dg.op(name=f"{JOB}_op", required_resource_keys={"settings", "ledger"}, out=dg.Out(dg.Nothing))
    def run(context: dg.OpExecutionContext) -> None:
        address = find_address(context.resources.settings.read())
        if address is None:
            raise dg.Failure("EXPORT_ALERT_URL is not set: set it", allow_retries=False)
        ledger = context.resources.ledger.open()
        with held_run(ledger, context.run.run_id):
            sent = asyncio.run(_send(ledger, address, context.run.run_id))
        context.log.info("%s messages sent", sent.count)
        if sent.problem:
            raise dg.Failure(f"{sent.problem}; they are sent again", allow_retries=False)

    @dg.job(
        name=JOB,
        description="Posts the alerts that are due to EXPORT_ALERT_URL.",
        # Ahead of the batches in the queue; and one that died before its lease blocks no other.
        tags={
            "dagster/max_retries": "0",
            "dagster/priority": "1",
            "dagster/max_runtime": str(MOST_SECONDS),
        },
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        run()

    return job


async def _send(ledger: Ledger, address: Address, owner: str) -> Sent:
    async with make_client() as http:
        return await send_due(ledger, address, http, owner=owner)
