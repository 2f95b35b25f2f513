"""Op jobs: what sensors and schedules start, for any scans, without one run per scan."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from pydantic import Field

from export_pipeline.defs.batch import WAITING, Batch, Result
from export_pipeline.defs.rests import rests
from export_pipeline.defs.runs import run_held
from export_pipeline.defs.showing import Shower
from export_pipeline.defs.slices import Slice
from export_pipeline.ledger import turns
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import QueueClass
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.poll import poll
from export_pipeline.workflow.reconcile import reconcile
from export_pipeline.workflow.register import queue_registered
from export_pipeline.workflow.send import drain

TIME_BOX_SECONDS = 900.0
"""A run ends then, and the sensor starts the next: so a new release takes over within that."""
LINGER_SECONDS = 10.0
"""A run waits this long for more work: starting another costs about 2 CPU seconds."""
PAUSE_SECONDS = 0.25
ORDERS_PER_TURN = 100
SCANS_PER_TRANSACTION = 100
BACKLOG_DEPTH = 1_000
"""Orders kept in the backlog class: over an hour and a half of Copyleaks's quota."""


class ScanList(dg.Config):
    """Which scans a run works on."""

    partition_keys: list[str] = Field(description="Partition keys of the scans, in any order.")


class QueueConfig(dg.Config):
    """What a run queues."""

    queue_class: str = Field(
        default=QueueClass.NIGHTLY.name.lower(),
        description="`nightly`: every registered scan; `backlog`: as many as keep the backlog class"
        " of the queue fed.",
    )


@dataclass(frozen=True)
class Jobs:
    """The op jobs of one vendor."""

    send: dg.JobDefinition
    poll: dg.JobDefinition | None
    collect: dg.JobDefinition
    reconcile: dg.JobDefinition
    queue: dg.JobDefinition
    archive: dg.JobDefinition

    @property
    def all(self) -> Sequence[dg.JobDefinition]:
        """Each of them."""
        every = [self.send, self.poll, self.collect, self.reconcile, self.queue, self.archive]
        return [job for job in every if job is not None]


def job_name(vendor: str, verb: str) -> str:
    """The name of a vendor's job, e.g. `copyleaks_send`."""
    return f"{vendor}_{verb}"


def vendor_jobs(slice_: Slice) -> Jobs:
    """The op jobs of one vendor."""
    return Jobs(
        send=_job(slice_, "send", "Send queued orders, evenly paced by the quota.", _send),
        poll=_job(slice_, "poll", "Ask the vendor how its orders stand.", _poll)
        if slice_.is_asked
        else None,
        collect=_job(slice_, "collect", "Verify and seal what arrived, and show it.", _collect),
        reconcile=_job(
            slice_, "reconcile", "Go on with whatever got stuck, and show it.", _reconcile
        ),
        queue=_queue_job(slice_),
        archive=_archive_job(slice_),
    )


Work = Callable[[Shower, Pipeline], Coroutine[Any, Any, dict[str, Any]]]
"""What a job does; what it shows through the `Shower` decides whether its run fails."""


def _job(slice_: Slice, verb: str, description: str, work: Work) -> dg.JobDefinition:
    @dg.op(
        name=f"{slice_.vendor}_{verb}_op",
        required_resource_keys={slice_.vendor},
        out=dg.Out(dg.Nothing),
    )
    def run(context: dg.OpExecutionContext) -> None:
        pipeline = getattr(context.resources, slice_.vendor).pipeline()
        shower = Shower(context, slice_, pipeline, planned=False)
        done = run_held(context, pipeline, work(shower, pipeline))
        context.log.info("%s: %s", verb, done)
        shower.summarize()
        failed = {name: why for name, why in shower.settled.items() if why}
        if failed:
            raise Result(len({key for key, _ in shower.settled}), failed).failure()

    return _as_job(slice_, verb, description, run)


def _as_job(slice_: Slice, verb: str, description: str, run: dg.OpDefinition) -> dg.JobDefinition:
    @dg.job(
        name=job_name(slice_.vendor, verb),
        description=description,
        tags={**slice_.tags, "dagster/max_runtime": str(int(TIME_BOX_SECONDS * 4))},
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        run()

    return job


async def _send(_shower: Shower, pipeline: Pipeline) -> dict[str, Any]:
    sent = await drain(pipeline, seconds=TIME_BOX_SECONDS, linger=LINGER_SECONDS)
    resting = await pipeline.ledger.look(rests, pipeline.vendor.name, pipeline.vendor.accounts)
    if troubled := [str(rest) for rest in resting if rest.needs_person]:
        said = f"{'; '.join(troubled)} (sent before: {sent})"
        waiting = dg.MetadataValue.json([rest.account for rest in resting if rest.needs_person])
        raise dg.Failure(said, metadata={WAITING: waiting}, allow_retries=False)
    return {"sent": sent}


async def _poll(_shower: Shower, pipeline: Pipeline) -> dict[str, Any]:
    ended = await poll(pipeline, seconds=TIME_BOX_SECONDS, linger=LINGER_SECONDS)
    return {"ended": ended}


async def _collect(shower: Shower, pipeline: Pipeline) -> dict[str, Any]:
    elapsed, idle, collected, shown = 0.0, 0.0, 0, 0
    loop = asyncio.get_running_loop()
    started = loop.time()
    while elapsed < TIME_BOX_SECONDS and idle < LINGER_SECONDS:
        turn_started = loop.time()
        read = await read_completions(pipeline)
        now_collected = await collect(pipeline, limit=ORDERS_PER_TURN)
        now_shown = await shower.show()
        collected, shown = collected + now_collected, shown + now_shown
        await pipeline.sleep(PAUSE_SECONDS)
        busy = read or now_collected or now_shown
        idle = 0.0 if busy else idle + loop.time() - turn_started
        elapsed = loop.time() - started
    return {"collected": collected, "shown": shown}


async def _reconcile(shower: Shower, pipeline: Pipeline) -> dict[str, Any]:
    found = await reconcile(pipeline)
    return {"found": found, "shown": await shower.show()}


def _queue_job(slice_: Slice) -> dg.JobDefinition:
    @dg.op(
        name=f"{slice_.vendor}_queue_op",
        required_resource_keys={slice_.vendor},
        out=dg.Out(dg.Nothing),
    )
    def run(context: dg.OpExecutionContext, config: QueueConfig) -> None:
        pipeline = getattr(context.resources, slice_.vendor).pipeline()
        queue_class = _queue_class(config.queue_class)
        queued = run_held(context, pipeline, _queue(pipeline, queue_class))
        context.log.info("queued %s scans as %s", queued, config.queue_class)

    return _as_job(slice_, "queue", "Queue registered scans that nobody has ordered.", run)


def _queue_class(name: str) -> QueueClass:
    for found in (QueueClass.NIGHTLY, QueueClass.BACKLOG):
        if name == found.name.lower():
            return found
    raise dg.Failure(f"queue_class: {name!r} is neither nightly nor backlog", allow_retries=False)


async def _queue(pipeline: Pipeline, queue_class: QueueClass) -> int:
    def step(tx: Tx) -> int:
        limit = SCANS_PER_TRANSACTION
        if queue_class == QueueClass.BACKLOG:
            room = BACKLOG_DEPTH - turns.count_queued(tx, pipeline.vendor.name, queue_class)
            limit = max(0, min(limit, room))
        return len(queue_registered(tx, pipeline.vendor, queue_class, limit))

    queued = 0
    while count := await pipeline.ledger.apply(step):
        queued += count
    return queued


def _archive_job(slice_: Slice) -> dg.JobDefinition:
    @dg.op(
        name=f"{slice_.vendor}_archive_op",
        required_resource_keys={slice_.vendor},
        out=dg.Out(dg.Nothing),
    )
    def run(context: dg.OpExecutionContext, config: ScanList) -> None:
        pipeline = getattr(context.resources, slice_.vendor).pipeline()
        batch = Batch(context, slice_, pipeline, slice_.assets, planned=False)
        result = run_held(context, pipeline, batch.run(config.partition_keys))
        batch.summarize()
        if result.failed or result.waiting:
            raise result.failure()

    return _as_job(slice_, "archive", "Order, collect and seal a list of scans.", run)
