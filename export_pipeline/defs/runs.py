"""Leases of runs, by which a run killed with its process is told from one that works."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import dagster as dg

from export_pipeline.ledger import leases
from export_pipeline.ledger.database import Ledger
from export_pipeline.workflow.pipeline import Pipeline

Context = dg.AssetExecutionContext | dg.OpExecutionContext
Result = TypeVar("Result")

LEASE_PREFIX = "run:"
LEASE_SECONDS = 60.0
RENEWALS_PER_LEASE = 4
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@contextmanager
def held_run(ledger: Ledger, run_id: str) -> Iterator[None]:
    """Hold the run's lease while it works: renewed by a thread, so that a busy loop keeps it."""
    name, stop = LEASE_PREFIX + run_id, threading.Event()

    def renew() -> None:
        while not stop.wait(LEASE_SECONDS / RENEWALS_PER_LEASE):
            with ledger.write() as tx:
                leases.acquire(tx, name, run_id, LEASE_SECONDS)

    with ledger.write() as tx:
        leases.acquire(tx, name, run_id, LEASE_SECONDS)
    thread = threading.Thread(target=renew, name="run-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        with ledger.write() as tx:
            leases.release(tx, name, run_id)


def run_held(context: Context, pipeline: Pipeline, work: Coroutine[Any, Any, Result]) -> Result:
    """Run a batch's work in an event loop of its own, holding the run's lease meanwhile."""

    async def closing() -> Result:
        try:
            return await work
        finally:
            await pipeline.vendor.aclose()

    with held_run(pipeline.ledger, context.run.run_id):
        return asyncio.run(closing())


def fail_orphans(instance: dg.DagsterInstance, ledger: Ledger) -> list[str]:
    """Report runs failed whose process is gone: their lease expired, whatever their age."""
    with ledger.read() as tx:
        names = leases.expired(tx, LEASE_PREFIX)
    failed = []
    for name in names:
        run_id = name.removeprefix(LEASE_PREFIX)
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_failed(
                run,
                "The process of this run is gone: its lease in the ledger expired. Nothing is"
                " lost: what it had not finished is collected by the next run.",
            )
            failed.append(run_id)
        with ledger.write() as tx:
            leases.release(tx, name, run_id)
    return failed


def has_unfinished(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of the job is queued or at work."""
    wanted = dg.RunsFilter(job_name=job, statuses=UNFINISHED)
    found: Sequence[dg.DagsterRun] = instance.get_runs(wanted, limit=1)
    return bool(found)
