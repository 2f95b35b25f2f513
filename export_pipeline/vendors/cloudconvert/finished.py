"""What a scan is of: the finished job or task at the vendor, and the tasks whose files it has."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from export_pipeline.errors import OrderInvalid, OrderRefused, ScanGone, VendorUnavailable
from export_pipeline.vendors.cloudconvert.client import CloudConvertClient, Shown
from export_pipeline.vendors.cloudconvert.details import TAG_BEGIN, Kind, ScanDetails
from export_pipeline.vendors.cloudconvert.models import ERROR, FINISHED, Job, Task
from export_pipeline.vendors.cloudconvert.results import cause, culprits, results
from export_pipeline.vendors.http import Call
from export_pipeline.vendors.keyed import Claimed

Turns = Iterator[Claimed]
"""Whose turn each call is: one was claimed by the sender, any further call waits for its own."""


@dataclass(frozen=True)
class Finished:
    """What a scan's job or task came to.

    Args:
        inputs: the tasks whose files are archived.
        job: the job, None of a task.
        request_id: of the call that told it.
    """

    inputs: Sequence[Task]
    job: Job | None = None
    request_id: str | None = None

    @property
    def failed(self) -> list[Task]:
        """The tasks of the job that failed of themselves and would have had files."""
        if self.job is None or self.job.status != ERROR:
            return []
        return [task for task in culprits(self.job.tasks) if not task.is_export]


async def find_finished(
    client: CloudConvertClient, call: Call, scan: str, details: ScanDetails, turn: Turns
) -> Finished:
    """Look at the job or task of a scan.

    Raises:
        ScanGone: it is not there (any more).
        OrderRefused: it failed, or is nothing that can be exported.
        VendorUnavailable: it has not ended.
        VendorError: see errors.py.
    """
    if details.kind == Kind.TASK:
        return _of_task(call, await client.task(call, scan, next(turn)))
    if details.kind == Kind.TAG:
        shown = await client.of_tag(call, scan.removeprefix(TAG_BEGIN), next(turn))
        if shown is None:
            raise call.error(ScanGone, f"no job has that tag; {call.what_to_do(ScanGone)}")
        return _of_job(call, shown)
    try:
        return _of_job(call, await client.job(call, scan, next(turn)))
    except ScanGone as error:
        gone = error
    if details.may_be(Kind.TASK):
        with suppress(ScanGone):
            return _of_task(call, await client.task(call, scan, next(turn)))
    raise gone


def _of_task(call: Call, task: Task) -> Finished:
    _require_over(call, "the task", task.status)
    if task.status == ERROR:
        raise call.error(OrderRefused, f"it failed: {task.words}")
    if task.is_export:
        raise call.error(
            OrderInvalid, f"not sent, it is an {task.operation}: register the task that it exports"
        )
    return Finished([task] if task.files else [])


def _of_job(call: Call, shown: Shown) -> Finished:
    _require_over(call, "the job", shown.job.status)
    inputs = results(shown.job)
    if shown.job.status == ERROR and not inputs:
        raise call.error(OrderRefused, f"the job failed: {cause(shown.job)}")
    return Finished(inputs, shown.job, shown.request_id)


def _require_over(call: Call, what: str, status: str | None) -> None:
    if status not in (FINISHED, ERROR):
        raise call.error(
            VendorUnavailable, f"{what} has not ended ({status}); it is tried again by itself"
        )
