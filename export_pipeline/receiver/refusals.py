"""Uploads that our own store did not take: no fault of the vendor's, and nothing for it to mend."""

from export_pipeline.errors import AccessDenied, StoreError, StoreFull
from export_pipeline.ledger import artifacts, events, orders, quotas
from export_pipeline.ledger.database import Tx

MENDING_SECONDS = 300.0
"""Rest of an account whose uploads the store refuses until a person acts."""
PASSING_SECONDS = 30.0
"""The same, where the store may take them soon."""


def refuse(tx: Tx, order: str, artifact: str, error: StoreError) -> None:
    """Note that the store refused an upload, and let nothing be sent until it may take one.

    The artifact's reason keeps it from costing the scan an attempt.
    """
    found = orders.get(tx, order)
    if found is None:
        return
    reason = f"our store refused the upload: {error}"
    artifacts.refused(tx, order, artifact, reason)
    events.record(tx, found.scan_id, "upload refused", order, artifact=artifact, reason=str(error))
    needs_person = isinstance(error, StoreFull | AccessDenied)
    seconds = MENDING_SECONDS if needs_person else PASSING_SECONDS
    quotas.cool_down(tx, found.vendor, found.account, seconds, reason, needs_person=needs_person)
