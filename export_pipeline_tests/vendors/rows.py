"""The ledger's rows as a vendor gets them, made without a ledger."""

from export_pipeline.ledger.orders import derive_id
from export_pipeline.ledger.rows import (
    Artifact,
    ArtifactState,
    Order,
    OrderState,
    QueueClass,
    Scan,
    ScanState,
)
from export_pipeline.scans import ScanKey
from export_pipeline.vendors.artifacts import Availability


def scan(vendor: str, scan_id: str, **details: object) -> Scan:
    return Scan(
        id=1,
        vendor=vendor,
        account="default",
        scan=scan_id,
        state=ScanState.ORDERED,
        reason="",
        source="test",
        details=details,
        generation=1,
        registered_at=0,
        expires_at=None,
        admitted_at=None,
    )


def order(vendor: str, scan_id: str, *, attempt: int = 1, queued_at: float = 0) -> Order:
    """An order that is being sent for the first time."""
    return Order(
        id=derive_id(ScanKey(vendor, "default", scan_id), 1, 0, attempt),
        scan_id=1,
        vendor=vendor,
        account="default",
        generation=1,
        part=0,
        attempt=attempt,
        state=OrderState.SENDING,
        outcome="",
        reason="",
        queue_class=QueueClass.HAND,
        sends=0,
        queued_at=queued_at,
        not_before=0,
        expires_at=None,
        sent_at=0,
        deadline=None,
        completed_at=None,
        closed_at=None,
        completion=None,
        request_id=None,
        vendor_order=None,
    )


def artifact(kind: str, name: str, vendor_name: str = "") -> Artifact:
    """An artifact that is still to come."""
    return Artifact(
        scan_id=1,
        generation=1,
        name=name,
        kind=kind,
        vendor_name=vendor_name,
        availability=Availability.EXPECTED,
        state=ArtifactState.EXPECTED,
        reason="",
        order_id=None,
        size=None,
        sha256=None,
        content_type=None,
        checksum=None,
        details=None,
        delivered_at=None,
        verified_at=None,
    )
