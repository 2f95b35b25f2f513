"""How an export ends: what the vendor says of it, and whether its file is what it said."""

from collections.abc import AsyncIterator

from export_pipeline.errors import OrderRefused, ResultLost, ScanGone, VendorUnavailable
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.hookbridge.client import HookBridgeClient, Shown
from export_pipeline.vendors.hookbridge.models import COMPLETED, EXPIRED, FAILED, Export
from export_pipeline.vendors.hookbridge.table import RowCounter
from export_pipeline.vendors.http import Call
from export_pipeline.vendors.redaction import redact


def completion_of(shown: Shown) -> Completion | None:
    """The vendor's word on an export, None while it is still to end."""
    export = shown.export
    if export.status == COMPLETED:
        return Completion(is_ready=True)
    if export.status == FAILED:
        return _failed(shown, redact(export.error_message or "it gave no reason"))
    if export.status == EXPIRED:
        return _failed(shown, "the export expired before its file was read")
    return None


def _failed(shown: Shown, reason: str) -> Completion:
    named = f" (request id {shown.request_id})" if shown.request_id else ""
    return Completion(failure=reason + redact(named))


async def ask_after(
    client: HookBridgeClient, export_id: str, listed: Shown | None
) -> Completion | None:
    """The completion of one export, from the list if it is there; None if there is none yet.

    Raises:
        VendorError: no export of the account can be asked after.
    """
    if listed is not None:
        return completion_of(listed)
    call = client.call(f"the question after export {export_id}")
    try:
        return completion_of(await client.get(call, export_id))
    except (ScanGone, ResultLost, OrderRefused) as error:
        return Completion(failure=str(error))
    except VendorUnavailable:
        return None


def require_file(call: Call, export: Export) -> None:
    """Make sure that an export has a file.

    Raises:
        ResultLost: it is over.
        VendorUnavailable: it is not completed yet.
    """
    if export.status != COMPLETED:
        kind = ResultLost if export.is_over else VendorUnavailable
        raise call.error(kind, f"the export is {export.status}; {call.what_to_do(kind)}")


async def counted(
    call: Call, chunks: AsyncIterator[bytes], expected: int | None
) -> AsyncIterator[bytes]:
    """Pass a file's bytes on, and count its rows where the vendor says how many there are.

    Raises:
        ResultLost: there are more or fewer.
    """
    counter = RowCounter()
    async for chunk in chunks:
        counter.add(chunk)
        yield chunk
    if expected is not None and counter.rows != expected:
        raise call.error(
            ResultLost,
            f"{counter.rows} rows came and the vendor says {expected};"
            f" {call.what_to_do(ResultLost)}",
        )
