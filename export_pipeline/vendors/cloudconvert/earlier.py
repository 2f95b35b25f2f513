"""The single task that an earlier send of an order made: no tag tells it, as one tells jobs.

It is known by what it was told to do, among the tasks that began since the order did (FACTS 4.3).
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

from export_pipeline.ledger.rows import Order
from export_pipeline.vendors.cloudconvert.client import CloudConvertClient, Shown
from export_pipeline.vendors.cloudconvert.delivery import NamedExport
from export_pipeline.vendors.cloudconvert.models import Job, Task
from export_pipeline.vendors.cloudconvert.operations import Export
from export_pipeline.vendors.http import Call

CLOCKS_DIFFER = timedelta(minutes=10)
"""Ours: by how much the vendor's clock may be behind."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


async def earlier_task(
    client: CloudConvertClient,
    call: Call,
    order: Order,
    wanted: NamedExport,
    others: Collection[str],
) -> Shown | None:
    """The newest task that exports the same to the same place, None if there is none.

    Args:
        client: the account's API.
        call: what it is part of.
        order: that is sent again.
        wanted: what is about to be sent.
        others: what other orders of the scan made.

    Raises:
        VendorError: a page could not be read.
    """
    since = datetime.fromtimestamp(order.queued_at, UTC) - CLOCKS_DIFFER
    filters = {"operation": wanted.export.operation}
    pages = client.pages(call, "tasks", include="payload", filters=filters)
    async with aclosing(pages) as listed:
        async for page, request_id in listed:
            tasks = [client.listed(call, Task, one) for one in page]
            alike = [
                Job.of_task(task, wanted.name)
                for task, told in zip(tasks, page, strict=True)
                if _began(task) >= since and _does(wanted.export, task, told.get("payload") or {})
            ]
            ours = [job for job in alike if job.id not in others]
            if ours:
                return Shown(max(ours, key=_began), request_id)
            if _ends_before(since, [_began(task) for task in tasks]):
                return None
    return None


def _began(made: Task | Job) -> datetime:
    return made.created_at or _LONG_AGO


def _ends_before(since: datetime, began: Sequence[datetime]) -> bool:
    """Whether a page of a list with the newest first, as it seems, leads to older ones alone."""
    is_in_order = list(began) == sorted(began, reverse=True)
    return is_in_order and (not began or began[-1] < since)


def _does(export: Export, task: Task, payload: Mapping[str, Any]) -> bool:
    is_alone = task.job_id is None and task.operation == export.operation
    return is_alone and task.inputs == export.inputs and export.is_told_by(payload)
