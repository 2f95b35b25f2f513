"""How a job of ours ends: what the vendor says of it, as the workflow knows it."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

from export_pipeline.archive.layout import incoming_key
from export_pipeline.concurrency import all_of
from export_pipeline.errors import ScanGone, VendorError, VendorUnavailable
from export_pipeline.ledger import artifacts
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import Order
from export_pipeline.vendors.cloudconvert.artifacts import STAGED
from export_pipeline.vendors.cloudconvert.client import CloudConvertClient
from export_pipeline.vendors.cloudconvert.models import (
    EXPORT_URL,
    FINISHED,
    INPUT_TASK_FAILED,
    Job,
    Task,
    place_of,
)
from export_pipeline.vendors.cloudconvert.results import cause, culprits
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.http import Call
from export_pipeline.vendors.redaction import redact

LISTED_FROM = 5
"""Orders from which pages of all jobs or tasks are asked for, in place of each single one."""
PERMANENT = frozenset({INPUT_TASK_FAILED, "SANDBOX_FILE_NOT_ALLOWED"})
"""Codes of a task's failure that another job of the same would meet again."""
INPUTS_NAMED = 3
"""Of tasks elsewhere that an export depends on, each of which costs a call to name."""
GONE = (
    "the vendor no longer has the export: it was deleted, or is over 24 hours old; it is ordered"
    " again from what it was made of, while that lives"
)


def completion_of(job: Job, order_id: str, names: Iterable[str]) -> Completion | None:
    """The vendor's word on a job of ours, None while it goes on.

    Args:
        job: with its tasks.
        order_id: of the order that made it.
        names: of the artifacts that it brings.
    """
    if not job.is_over:
        return None
    links = [one for one in job.exports if one.operation == EXPORT_URL and one.status == FINISHED]
    staged = {name: incoming_key(order_id, name) for name in names} if _is_staged(job) else {}
    if job.status == FINISHED:
        return Completion(is_ready=bool(links), staged=staged)
    return Completion(
        is_ready=bool(links),
        staged=staged,
        failure=redact(cause(job)),
        is_final=any(one.code in PERMANENT for one in culprits(job.tasks)),
    )


async def ask_after(
    client: CloudConvertClient, ledger: Ledger, orders: Sequence[Order]
) -> dict[str, Completion]:
    """The completions of those orders whose jobs ended, by order id.

    Raises:
        VendorError: none could be asked after.
    """
    call = client.call("the question after exports")
    listed: dict[str, Job] = {}
    for what, wanted in _by_place(orders).items():
        if len(wanted) >= LISTED_FROM:
            listed |= {job.id: job async for job in _listed(client, call, what, wanted)}
    found: dict[str, Completion] = {}

    async def note(order: Order) -> None:
        job = listed.get(order.vendor_order or "")
        told = await _told(client, ledger, call, order, job)
        if told is not None:
            found[order.id] = told

    await all_of(*map(note, orders))
    return found


def _by_place(orders: Sequence[Order]) -> dict[str, dict[str, str]]:
    """`jobs` and `tasks` -> their ids -> what the ledger calls them."""
    found: dict[str, dict[str, str]] = {"jobs": {}, "tasks": {}}
    for order in orders:
        if order.vendor_order:
            what, its_id, _ = place_of(order.vendor_order)
            found[what][its_id] = order.vendor_order
    return found


async def _listed(
    client: CloudConvertClient, call: Call, what: str, wanted: Mapping[str, str]
) -> AsyncIterator[Job]:
    """Those that the first pages show, as many pages as a fraction of one question for each costs.

    Args:
        client: asks.
        call: what it is part of.
        what: `jobs` or `tasks`.
        wanted: their ids there -> what the ledger calls them.
    """
    left, pages = dict(wanted), len(wanted) // LISTED_FROM
    include = "tasks" if what == "jobs" else ""
    async with aclosing(client.pages(call, what, include=include)) as listed:
        async for page, _ in listed:
            for one in (one for one in page if one.get("id") in left):
                name = place_of(left.pop(one["id"]))[2]
                with suppress(VendorUnavailable):  # then it is asked after alone
                    yield _job(client, call, one, name)
            pages -= 1
            if not left or not pages:
                return


def _job(client: CloudConvertClient, call: Call, told: dict[str, Any], name: str) -> Job:
    if not name:
        return client.listed(call, Job, told)
    return Job.of_task(client.listed(call, Task, told), name)


async def _told(
    client: CloudConvertClient, ledger: Ledger, call: Call, order: Order, job: Job | None
) -> Completion | None:
    if job is not None and not job.is_over:
        return None
    if job is None or not job.tasks:  # lists may leave the tasks out
        try:
            job = await client.made(call, order.vendor_order or "")
        except ScanGone:
            return Completion(failure=GONE)
        except VendorUnavailable:
            return None
    names = await ledger.look(_names, order.id) if _is_staged(job) else []
    completion = completion_of(job, order.id, names)
    return await _with_cause(client, call, job, completion)


def _is_staged(job: Job) -> bool:
    return any((one.name or "").startswith(STAGED) for one in job.exports)


def _names(tx: Tx, order_id: str) -> list[str]:
    return [one.name for one in artifacts.of_order(tx, order_id)]


async def _with_cause(
    client: CloudConvertClient, call: Call, job: Job, completion: Completion | None
) -> Completion | None:
    """The completion, with the task of another job that is to blame where that alone says why."""
    own = {task.id for task in job.tasks}
    blamed = [task for task in culprits(job.tasks) if task.code == INPUT_TASK_FAILED]
    elsewhere = sorted({name for task in blamed for name in task.inputs} - own)
    if completion is None or not elsewhere:
        return completion
    words = "; ".join([await _words(client, call, name) for name in elsewhere[:INPUTS_NAMED]])
    return replace(completion, failure=f"{completion.failure}; its cause: {redact(words)}")


async def _words(client: CloudConvertClient, call: Call, task_id: str) -> str:
    try:
        return (await client.task(call, task_id)).words
    except VendorError as error:
        return f"task {task_id}, of which nothing can be learned: {error.message}"
