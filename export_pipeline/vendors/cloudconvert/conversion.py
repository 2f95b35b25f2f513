"""Conversions: a job that takes an archived PDF in, makes a PDF/A of it, and exports that."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from export_pipeline.errors import NotFound, OrderInvalid
from export_pipeline.vendors.artifacts import PlannedArtifact
from export_pipeline.vendors.channel import in_time
from export_pipeline.vendors.cloudconvert.client import CloudConvertClient, Shown
from export_pipeline.vendors.cloudconvert.delivery import Held, NamedExport, deliver
from export_pipeline.vendors.cloudconvert.details import ScanDetails, Source
from export_pipeline.vendors.cloudconvert.models import File, Form, Job
from export_pipeline.vendors.cloudconvert.options import PDFA_TASK
from export_pipeline.vendors.cloudconvert.placing import Placing, receipt, turns
from export_pipeline.vendors.cloudconvert.requests import job_body
from export_pipeline.vendors.cloudconvert.tags import tag_of
from export_pipeline.vendors.http import Call
from export_pipeline.vendors.placement import Placement, Receipt, StoredSource

IMPORT = "import-1"
CONVERT = "convert-1"
IMPORT_URL = "import/url"
IMPORT_UPLOAD = "import/upload"
WAITING = "waiting"
UPLOAD_SECONDS = 2_400.0
"""The longest that an archived PDF takes to the vendor; a run that sends is ended 45 minutes after
its time for new orders."""
PIECE_BYTES = 64 << 10
"""Each piece is given 90 s to leave, 120 s with its reading (see `send`): a link slower than 0.7 KB
a second counts as cut."""


class Converting:
    """Places the orders of one account for conversions.

    Args:
        client: its API.
        placing: tells how files come.
        convert: the task that makes a PDF/A; None for `PDFA_TASK`.
        webhook_url: where the end of each job is told, None for nowhere.
    """

    def __init__(
        self,
        client: CloudConvertClient,
        placing: Placing,
        convert: Mapping[str, Any] | None,
        webhook_url: str | None,
    ) -> None:
        self._client = client
        self._placing = placing
        self._convert = convert or PDFA_TASK
        self._webhook_url = webhook_url

    async def place(
        self, call: Call, placement: Placement, details: ScanDetails, source: Source
    ) -> Receipt:
        """Have an archived PDF converted, and the PDF/A exported.

        Raises:
            OrderInvalid: the archived PDF is gone.
            VendorError: see errors.py.
            StoreError: the store cannot be read, or cannot sign for the order's whole time.
            TurnMissed: nothing was sent.
        """
        ((name, kind),) = placement.kinds.items()
        # Beside the event loop: some clouds are asked for each signature.
        stored = await asyncio.to_thread(placement.source, source.key)
        held = [Held(CONVERT, {name: File(filename=source.file_name)})]
        named = await deliver(placement, held, self._placing.wanted(details))
        before = tasks_before(source, stored, self._convert)
        shown = await in_time(call, self._make(call, placement, named, before), "turns")
        form = waiting_form(shown.job)
        if form is not None:
            upload = self._upload(call, form, source, stored)
            await in_time(call, upload, "the upload of its PDF", seconds=UPLOAD_SECONDS)
        planned = PlannedArtifact(kind, name, source.file_name)
        return receipt(shown, placement, [planned])

    async def _make(
        self, call: Call, placement: Placement, named: NamedExport, before: Mapping[str, Any]
    ) -> Shown:
        """The job of an order: the one of an earlier send, if that arrived, else a new one.

        That one waits for its file still, where the process died that was to bring it.
        """
        order, turn = placement.order, turns(placement)
        if order.sends:
            arrived = await self._client.of_tag(call, tag_of(order.id), next(turn))
            if arrived is not None:
                return arrived
        told = replace(call, secrets=(*call.secrets, *named.export.secrets))
        body = job_body(order.id, named, self._webhook_url, before)
        await placement.leaves()
        return await self._client.create(told, body, next(turn))

    async def _upload(self, call: Call, form: Form, source: Source, stored: StoredSource) -> None:
        boundary = secrets.token_hex(16)
        head, tail = multipart(form.parameters, source.file_name, boundary)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + source.size + len(tail)),
        }
        told = self._client.call(
            call.doing, call.scan, secrets=[*map(str, form.parameters.values())]
        )
        try:
            await self._client.upload(told, form.url, _body(head, stored, tail), headers)
        except NotFound:
            pass
        else:
            return
        raise call.error(OrderInvalid, f"not sent, {source.key} is no longer in the archive")


def tasks_before(
    source: Source, stored: StoredSource, convert: Mapping[str, Any]
) -> dict[str, Any]:
    """The tasks that make what is exported, by name; the PDF comes by a signed URL if it can."""
    taken: dict[str, Any] = {"operation": IMPORT_UPLOAD}
    if stored.url is not None:
        taken = {"operation": IMPORT_URL, "url": stored.url, "filename": source.file_name}
    return {IMPORT: taken, CONVERT: {**convert, "input": IMPORT}}


def waiting_form(job: Job) -> Form | None:
    """Where a job waits for its file, None if it does not."""
    for task in job.tasks:
        if task.operation == IMPORT_UPLOAD and task.status == WAITING and task.result:
            return task.result.form
    return None


def multipart(fields: Mapping[str, Any], filename: str, boundary: str) -> tuple[bytes, bytes]:
    """What stands before and after the file in a form; the file comes last (FACTS 4.4)."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    named = f'Content-Disposition: form-data; name="file"; filename="{filename}"'
    parts.append(f"--{boundary}\r\n{named}\r\nContent-Type: application/pdf\r\n\r\n")
    return "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()


async def _body(head: bytes, stored: StoredSource, tail: bytes) -> AsyncIterator[bytes]:
    yield head
    async for chunk in stored.chunks():
        for start in range(0, len(chunk), PIECE_BYTES):
            yield chunk[start : start + PIECE_BYTES]
    yield tail
