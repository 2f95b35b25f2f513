"""The rows of artifacts: as they are planned, and as the vendor says that they are."""

from collections.abc import Iterable, Sequence

from export_pipeline.ledger import artifacts
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import ArtifactState, Order, Scan
from export_pipeline.vendors.artifacts import Availability, PlannedArtifact
from export_pipeline.workflow.settle import report_kinds

_STATE = {
    Availability.EXPECTED: ArtifactState.EXPECTED,
    Availability.UNKNOWN: ArtifactState.EXPECTED,
    Availability.ABSENT: ArtifactState.ABSENT,
    Availability.MISSING: ArtifactState.MISSING,
}


def insert(
    tx: Tx,
    scan: Scan,
    generation: int,
    planned: Iterable[PlannedArtifact],
    order_id: str | None = None,
) -> None:
    """Add artifacts to a generation, to be brought by this order if one is named."""
    artifacts.insert(
        tx,
        [
            {
                "scan_id": scan.id,
                "generation": generation,
                "name": one.name,
                "kind": one.kind,
                "vendor_name": one.vendor_name,
                "availability": one.availability,
                "state": _STATE[one.availability],
                "reason": one.reason,
                "order_id": order_id if _STATE[one.availability] == "expected" else None,
            }
            for one in planned
        ],
    )


def replace(tx: Tx, scan: Scan, order: Order, files: Sequence[PlannedArtifact]) -> None:
    """Let an order bring what the vendor says that it brings, in place of what was planned.

    What another order of the generation brings, or brought, stays with that one. A kind of which
    the scan has nothing is settled by that, and no order tells of it any more.
    """
    told = {one.name: one for one in files}
    planned = artifacts.of_order(tx, order.id)
    artifacts.withdraw(tx, [one for one in planned if one.name not in told])
    for one in planned:
        if one.name in told and one.vendor_name != told[one.name].vendor_name:
            artifacts.named(tx, one, told[one.name].vendor_name, {})
    known = {one.name for one in artifacts.of_generation(tx, scan.id, order.generation)}
    new = [one for one in told.values() if one.name not in known]
    insert(tx, scan, order.generation, new, order.id)
    report_kinds(tx, scan, order.generation, [one.kind for one in new])
