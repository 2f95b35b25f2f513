"""Placing an order: an export is adopted where there is one, and made where there is none."""

from collections.abc import Iterator
from itertools import chain, repeat

from export_pipeline.errors import OrderInvalid, ScanGone
from export_pipeline.vendors.hookbridge.client import HookBridgeClient, Shown
from export_pipeline.vendors.hookbridge.details import ExportDetails
from export_pipeline.vendors.hookbridge.ending import completion_of
from export_pipeline.vendors.http import Call
from export_pipeline.vendors.keyed import Claimed
from export_pipeline.vendors.placement import Placement, Receipt


async def place(client: HookBridgeClient, call: Call, placement: Placement) -> Receipt:
    """Adopt the export that the scan names or that an earlier send made, else have one made.

    What was named and is over, or has to be ordered again, is made anew with its own filters.

    Raises:
        OrderInvalid: the scan is nothing that an export could be of.
        VendorError: see errors.py.
        TurnMissed: nothing was sent.
    """
    order = placement.order
    details = _details(call, placement)
    # The claimed turn is that of one call; any further one waits for its own.
    turns: Iterator[Claimed] = chain([placement.is_on_time], repeat(None))
    filters = details.filters
    if details.export_id is not None:
        named = await _named(client, call, details, next(turns))
        if named is not None and order.attempt == 1 and not named.export.is_over:
            return _receipt(named)
        filters = (named and named.export.filters) or filters
    if filters is None:
        raise call.error(
            OrderInvalid,
            f"not sent, export {details.export_id} has filters that the vendor does not document:"
            " it cannot be made anew",
        )
    if order.sends:
        arrived = await client.find(call, filters, order.queued_at, next(turns))
        if arrived is not None:
            return _receipt(arrived)
    await placement.leaves()
    return _receipt(await client.create(call, filters, next(turns)))


def _details(call: Call, placement: Placement) -> ExportDetails:
    details = ExportDetails.of_scan(placement.scan)
    if details is None:
        raise call.error(
            OrderInvalid,
            f"not sent, {placement.scan.scan!r} is neither an export's id nor a window such as"
            " 2026-11-21: register one of these in its place",
        )
    return details


async def _named(
    client: HookBridgeClient, call: Call, details: ExportDetails, claimed: Claimed
) -> Shown | None:
    """The export that the scan names; None if it is gone and can be made anew all the same."""
    try:
        return await client.get(call, str(details.export_id), claimed)
    except ScanGone:
        if details.filters is None:
            raise
    return None


def _receipt(shown: Shown) -> Receipt:
    completion = completion_of(shown)
    return Receipt(shown.request_id, str(shown.export.id), completion=completion)
