"""Leases of runs, by which a run killed with its process is told from one that works."""

import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import dagster as dg
import sqlalchemy as sa
import structlog
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus

from export_pipeline.concurrency import run_batch
from export_pipeline.ledger import leases
from export_pipeline.ledger.database import Ledger
from export_pipeline.workflow.pipeline import Pipeline

Context = dg.AssetExecutionContext | dg.OpExecutionContext
Result = TypeVar("Result")

LEASE_PREFIX = "run:"
LEASE_SECONDS = 60.0
RENEWALS_PER_LEASE = 4
STARTUP_SECONDS = 300.0
"""A run that began longer ago and never took its lease died before it could."""
RUNS_LOOKED_AT = 200
ASSET_JOB = "__ASSET_JOB"
"""Dagster's name for the job behind every Materialize and every backfill."""
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

log = structlog.get_logger(__name__)


@contextmanager
def held_run(ledger: Ledger, run_id: str) -> Iterator[None]:
    """Hold the run's lease while it works: renewed by a thread, so that a busy loop keeps it.

    It is left to expire at the end, so that a run without one is a run that never had one.
    """
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(LEASE_SECONDS / RENEWALS_PER_LEASE):
            try:
                _acquire(ledger, run_id)
            except sa.exc.OperationalError as error:
                log.warning("run_lease_not_renewed", run=run_id, error=type(error.orig).__name__)

    _acquire(ledger, run_id)
    thread = threading.Thread(target=renew, name="run-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _acquire(ledger: Ledger, run_id: str) -> None:
    with ledger.write() as tx:
        leases.acquire(tx, LEASE_PREFIX + run_id, run_id, LEASE_SECONDS)


def run_held(context: Context, pipeline: Pipeline, work: Coroutine[Any, Any, Result]) -> Result:
    """Run a batch's work in an event loop of its own, holding the run's lease meanwhile."""

    async def closing() -> Result:
        try:
            return await work
        finally:
            await pipeline.vendor.aclose()

    with held_run(pipeline.ledger, context.run.run_id):
        return run_batch(closing())


def fail_orphans(instance: dg.DagsterInstance, ledger: Ledger, vendor: str) -> list[str]:
    """Report runs failed whose process is gone, return their ids.

    Their lease expired, whatever their age; or they began long ago and never took one.
    """
    with ledger.read() as tx:
        names = leases.expired(tx, LEASE_PREFIX)
    run_ids = [name.removeprefix(LEASE_PREFIX) for name in names]
    failed = [run_id for run_id in run_ids if _fail(instance, run_id)]
    with ledger.write() as tx:
        for run_id in run_ids:
            leases.release(tx, LEASE_PREFIX + run_id, run_id)
    return failed + [
        run_id
        for run_id in _leaseless(instance, ledger, vendor, run_ids)
        if _fail(instance, run_id)
    ]


def _fail(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return False
    instance.report_run_failed(
        run,
        "The process of this run is gone: it holds no lease in the ledger. Nothing is lost: what"
        " it had not finished is collected by the next run.",
    )
    return True


def _leaseless(
    instance: dg.DagsterInstance, ledger: Ledger, vendor: str, known: list[str]
) -> list[str]:
    """Runs of the vendor at work for long that hold no lease."""
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    records = instance.get_run_records(started, limit=RUNS_LOOKED_AT, ascending=True)
    with ledger.read() as tx:
        return [
            record.dagster_run.run_id
            for record in records
            if _is_of(record.dagster_run, vendor)
            and record.dagster_run.run_id not in known
            and (record.start_time or tx.now) < tx.now - STARTUP_SECONDS
            and not leases.is_held(tx, LEASE_PREFIX + record.dagster_run.run_id)
        ]


def _is_of(run: dg.DagsterRun, vendor: str) -> bool:
    assets = run.asset_selection or frozenset()
    return run.tags.get("vendor") == vendor or any(key.path[0] == vendor for key in assets)


def has_unfinished(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of the job is queued or at work."""
    wanted = dg.RunsFilter(job_name=job, statuses=UNFINISHED)
    return bool(instance.get_runs(wanted, limit=1))


def uses_partitions(instance: dg.DagsterInstance) -> bool:
    """Whether a run or a backfill of assets is under way, whose partition keys must stay.

    Their ranges are by position: a key taken out of one makes the rest of it vanish.
    """
    requested = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
    backfills = instance.get_backfills(filters=requested, limit=1)
    return bool(backfills) or has_unfinished(instance, ASSET_JOB)
