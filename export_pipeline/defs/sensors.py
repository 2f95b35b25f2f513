"""Sensors: they read the ledger only, are bounded per tick, and start few runs."""

from collections.abc import Callable, Sequence

import dagster as dg

from export_pipeline.defs.jobs import Jobs
from export_pipeline.defs.rests import rests
from export_pipeline.defs.runs import fail_orphans, has_unfinished
from export_pipeline.defs.slices import Slice
from export_pipeline.errors import ConfigError
from export_pipeline.ledger import admission, inbox, placed, reports, turns
from export_pipeline.ledger.database import Tx
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.reconcile import is_needed
from export_pipeline.workflow.register import read_registrations

LETTERS_PER_TICK = 1_000
LETTERS_PER_TRANSACTION = 100
SCANS_PER_TICK = 5_000
"""Partitions added in a tick: 25,000 a second are possible, a tick has 60 s."""

Sensed = dg.SkipReason | dg.RunRequest


def vendor_sensors(slice_: Slice, jobs: Jobs, seconds: int) -> Sequence[dg.SensorDefinition]:
    """All sensors of one vendor, on from the start.

    Args:
        seconds: least time between two ticks of each.
    """
    return [
        _sensor(slice_, "scan_completed", seconds, _register, None),
        _sensor(slice_, "queue", seconds, _send, jobs.send),
        *([_sensor(slice_, "poll", seconds, _poll, jobs.poll)] if jobs.poll else []),
        _sensor(slice_, "export_completed", seconds, _collect, jobs.collect),
        _sensor(slice_, "reconciler", seconds, _reconcile, jobs.reconcile),
    ]


_DESCRIPTIONS = {
    "scan_completed": "Registers scans whose completed webhook came, and adds partitions.",
    "queue": "Starts the sender while orders are queued.",
    "poll": "Starts the job that asks the vendor how its orders stand, while some wait there.",
    "export_completed": "Starts the collector when orders ended or something is to be shown.",
    "reconciler": "Finds late orders, lost webhooks, and runs killed with their process.",
}

Look = Callable[[dg.SensorEvaluationContext, Slice, Pipeline], str | dg.SkipReason]
"""What a tick does: returns why a run is needed or what was done, see `_sensor`, or why none can
do anything now."""


def _sensor(
    slice_: Slice, name: str, seconds: int, look: Look, job: dg.JobDefinition | None
) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{slice_.vendor}_{name}",
        # By name: from the job itself Dagster 1.13 copies the sensor, with a warning at each load.
        job_name=job.name if job else None,
        description=_DESCRIPTIONS[name],
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={slice_.vendor},
    )
    def sensor(context: dg.SensorEvaluationContext) -> Sensed:
        try:
            pipeline = getattr(context.resources, slice_.vendor).pipeline()
            found = look(context, slice_, pipeline)
            if not found:
                pipeline.vendor.require_all()
        except ConfigError as error:
            return dg.SkipReason(str(error))
        if isinstance(found, dg.SkipReason):
            return found
        if job is None or not found:
            return dg.SkipReason(found or "nothing to do")
        if has_unfinished(context.instance, job.name):
            return dg.SkipReason(f"{found}: a run of {job.name} is at it")
        return dg.RunRequest(tags=slice_.tags)

    return sensor


def _register(context: dg.SensorEvaluationContext, slice_: Slice, pipeline: Pipeline) -> str:
    registered = 0
    for _ in range(LETTERS_PER_TICK // LETTERS_PER_TRANSACTION):
        with pipeline.ledger.write() as tx:
            if not inbox.unhandled(tx, slice_.vendor, inbox.SCANS, 1):
                break
            found = read_registrations(
                tx, pipeline.vendor, pipeline.settings, LETTERS_PER_TRANSACTION
            )
        registered += len(found)
    admitted = _admit(context.instance, slice_, pipeline)
    return f"registered {registered}, added {admitted} partitions"


def _admit(instance: dg.DagsterInstance, slice_: Slice, pipeline: Pipeline) -> int:
    """Give partition keys to new scans, as far as there is room: `retire` makes some.

    Dagster is told before the ledger commits: a crash between the two repeats both.
    """
    limit = pipeline.settings.active_scans
    with pipeline.ledger.write() as tx:
        admitted = admission.admit(tx, slice_.vendor, active_limit=limit, chunk=SCANS_PER_TICK)
        slice_.add_partitions(instance, [scan.key.partition_key for scan in admitted])
    return len(admitted)


def _send(_: dg.SensorEvaluationContext, slice_: Slice, pipeline: Pipeline) -> str | dg.SkipReason:
    configured = pipeline.vendor.accounts
    with pipeline.ledger.read() as tx:
        resting = {rest.account: str(rest) for rest in rests(tx, slice_.vendor, configured)}
        awake = [account for account in configured if account not in resting]
        waiting = [account for account in awake if _is_due(tx, slice_.vendor, account)]
        stranded = None if waiting else turns.queued_elsewhere(tx, slice_.vendor, configured)
    if stranded is not None:
        pipeline.vendor.require(stranded)
    if waiting:
        queued = f"orders are queued on account {', '.join(waiting)}"
        return "; ".join([queued, *resting.values()])
    return dg.SkipReason("; ".join(resting.values())) if resting else ""


def _is_due(tx: Tx, vendor: str, account: str) -> bool:
    due = turns.earliest_due(tx, vendor, account)
    return due is not None and due <= tx.now


def _poll(_: dg.SensorEvaluationContext, slice_: Slice, pipeline: Pipeline) -> str | dg.SkipReason:
    configured = pipeline.vendor.accounts
    with pipeline.ledger.read() as tx:
        resting = {rest.account: str(rest) for rest in rests(tx, slice_.vendor, configured)}
        awake = [account for account in configured if account not in resting]
        waiting = [name for name in awake if placed.next_to_ask(tx, slice_.vendor, name)]
    if waiting:
        return f"orders of account {', '.join(waiting)} are at the vendor"
    return dg.SkipReason("; ".join(resting.values())) if resting else ""


def _collect(_: dg.SensorEvaluationContext, slice_: Slice, pipeline: Pipeline) -> str:
    with pipeline.ledger.read() as tx:
        if inbox.unhandled(tx, slice_.vendor, inbox.ORDERS, 1):
            return "completion webhooks came"
        if placed.has_completed(tx, slice_.vendor):
            return "orders wait to be collected"
        if reports.has_outstanding(tx, slice_.vendor):
            return "something settled is not shown yet"
    return ""


def _reconcile(context: dg.SensorEvaluationContext, slice_: Slice, pipeline: Pipeline) -> str:
    for run_id in fail_orphans(context.instance, pipeline.ledger, slice_.vendor):
        context.log.warning("run %s was orphaned by a crash: reported as failed", run_id)
    with pipeline.ledger.read() as tx:
        return "orders or seals are stuck" if is_needed(tx, pipeline.vendor) else ""
