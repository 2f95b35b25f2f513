"""Placing an order: look at the job or task, decide how its files come, and have them exported."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, repeat

from export_pipeline.errors import ScanGone, VendorError
from export_pipeline.ledger import orders
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import Order
from export_pipeline.vendors.artifacts import Availability, PlannedArtifact
from export_pipeline.vendors.cloudconvert.artifacts import (
    ARCHIVE,
    FILES,
    FOLDER,
    UNKNOWN,
    exported,
    name_files,
    planned,
    safe,
)
from export_pipeline.vendors.cloudconvert.client import CloudConvertClient, Shown
from export_pipeline.vendors.cloudconvert.delivery import Held, Wanted, deliver, is_zipped
from export_pipeline.vendors.cloudconvert.details import ScanDetails
from export_pipeline.vendors.cloudconvert.earlier import earlier_task
from export_pipeline.vendors.cloudconvert.ending import completion_of
from export_pipeline.vendors.cloudconvert.finished import Finished, Turns, find_finished
from export_pipeline.vendors.cloudconvert.models import File, Job, Task
from export_pipeline.vendors.cloudconvert.options import CloudConvertOptions
from export_pipeline.vendors.cloudconvert.results import has_links
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.http import Call
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.vendors.redaction import redact

_WAYS = ("delivery", "inline", "archive_multiple_files")
"""What a scan or else the settings say of how files come, as `Wanted` has it."""


def turns(placement: Placement) -> Turns:
    """Whose turn each call of a placement is."""
    return chain([placement.is_on_time], repeat(None))


class Placing:
    """Places the orders of one account for what is finished at the vendor.

    Args:
        client: its API.
        ledger: tells what other orders of a scan made.
        options: how files come.
    """

    def __init__(
        self, client: CloudConvertClient, ledger: Ledger, options: CloudConvertOptions
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._options = options

    async def place(self, call: Call, placement: Placement, details: ScanDetails) -> Receipt:
        """Have the files of a finished job or task exported, or adopt what was exported already.

        Raises:
            VendorError: see errors.py.
            TurnMissed: nothing was sent.
        """
        order, turn = placement.order, turns(placement)
        found = await find_finished(self._client, call, placement.scan.scan, details, turn)
        wanted, held = self.wanted(details), _still_wanted(_held(found.inputs), placement)
        if not held:
            return _without_files(call, found, placement)
        files = [ARCHIVE] if is_zipped(held, wanted) else _planned(held, placement)
        if found.job and order.attempt == 1 and _is_adopted(found.job, found.inputs, files):
            ready = Completion(is_ready=True)
            return Receipt(found.request_id, found.job.id, _told(found, files), ready)
        shown = await self._export(call, placement, held, wanted)
        return receipt(shown, placement, _told(found, files))

    def wanted(self, details: ScanDetails) -> Wanted:
        """How a scan's files come: as it says itself, else as the settings say."""
        told = details.model_dump(include=set(_WAYS), exclude_none=True)
        return Wanted(*(told.get(name, getattr(self._options, name)) for name in _WAYS))

    async def _export(
        self, call: Call, placement: Placement, held: Sequence[Held], wanted: Wanted
    ) -> Shown:
        """The task of an order: the one of an earlier send, if that arrived, else a new one."""
        order, named = placement.order, await deliver(placement, held, wanted)
        told = replace(call, secrets=(*call.secrets, *named.export.secrets))
        if order.sends:
            others = await self._ledger.look(_made_by_others, order)
            earlier = await earlier_task(self._client, told, order, named, others)
            if earlier is not None:
                return earlier
        body = json.dumps(named.export.arguments()).encode()
        await placement.leaves()
        shown = await self._client.create_task(told, named.export.operation, body, named.name)
        return await self._at_its_end(told, shown) if self._options.sync else shown

    async def _at_its_end(self, call: Call, shown: Shown) -> Shown:
        try:
            return shown._replace(job=await self._client.made(call, shown.job.id, waits=True))
        except VendorError:
            return shown  # it was taken all the same, and is asked after later


def receipt(shown: Shown, placement: Placement, files: Sequence[PlannedArtifact]) -> Receipt:
    """What a job, or a task as one, that was made or found again means for its order."""
    names = [one.name for one in files if one.availability != Availability.ABSENT]
    completion = completion_of(shown.job, placement.order.id, names)
    return Receipt(shown.request_id, shown.job.id, tuple(files), completion)


def _made_by_others(tx: Tx, order: Order) -> set[str]:
    every = orders.of_scan(tx, order.scan_id)
    return {one.vendor_order for one in every if one.vendor_order and one.id != order.id}


def _without_files(call: Call, found: Finished, placement: Placement) -> Receipt:
    if UNKNOWN.name not in placement.kinds:
        raise call.error(ScanGone, f"its files are gone; {call.what_to_do(ScanGone)}")
    reason = "it is finished and has no files"
    lacking = PlannedArtifact(FILES.name, UNKNOWN.name, "", Availability.ABSENT, reason)
    return Receipt(found.request_id, files=(lacking,), completion=Completion())


def _held(inputs: Sequence[Task]) -> list[Held]:
    """Each task with its files, named among all of them."""
    # By what a file is and not by what it equals: two may be alike in all that is told of them.
    owner = {id(file): task for task in inputs for file in task.files}
    named = name_files(file for task in inputs for file in task.files)
    return [
        Held(task.id, {name: file for name, file in named.items() if owner[id(file)] is task})
        for task in inputs
    ]


def _still_wanted(held: Sequence[Held], placement: Placement) -> list[Held]:
    """The tasks that have a file which the order is to bring; all before that is known."""
    if placement.kinds.keys() & {UNKNOWN.name, ARCHIVE.name}:
        return list(held)
    return [one for one in held if one.files.keys() & placement.kinds.keys()]


def _is_adopted(job: Job, inputs: Sequence[Task], files: Sequence[PlannedArtifact]) -> bool:
    """Whether the job itself has URLs of just these files."""
    return has_links(job, inputs) and exported(job).keys() == {one.name for one in files}


def _planned(held: Sequence[Held], placement: Placement) -> list[PlannedArtifact]:
    """The files of tasks, and what the order was to bring and the vendor does not show any more."""
    files: dict[str, File] = {name: file for one in held for name, file in one.files.items()}
    lost = [
        PlannedArtifact(kind, name, placement.vendor_names[name])
        for name, kind in placement.kinds.items()
        if name not in files and name not in (UNKNOWN.name, ARCHIVE.name)
    ]
    return [*planned(list(files.items())), *lost]


def _told(found: Finished, files: Sequence[PlannedArtifact]) -> tuple[PlannedArtifact, ...]:
    """The files, and which tasks of the job failed and so have none."""
    lacking = [
        PlannedArtifact(
            FILES.name,
            f"{FOLDER}{safe(task.name or task.id)}.failed",
            task.name or task.id,
            Availability.ABSENT,
            f"the vendor failed: {redact(task.words)}",
        )
        for task in found.failed
    ]
    return (*files, *lacking)
