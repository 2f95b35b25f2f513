"""Ask for a scan: open its generation, plan its artifacts, queue its orders."""

from collections.abc import Collection, Sequence
from enum import StrEnum

from export_pipeline.ledger import artifacts, events, generations, orders, registry, turns
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import (
    Artifact,
    ArtifactState,
    Generation,
    GenerationState,
    QueueClass,
    Scan,
    ScanState,
)
from export_pipeline.vendors.artifacts import Availability, PlannedArtifact
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow import files
from export_pipeline.workflow.queue import queue, report_order
from export_pipeline.workflow.settle import finish, report_kinds


class Requested(StrEnum):
    """What a request for a scan came to."""

    QUEUED = "queued"
    OPEN = "ordered before"
    SEALED = "sealed before"
    EXPIRED = "expired at vendor"
    FORGOTTEN = "being forgotten"


def request(
    tx: Tx,
    vendor: Vendor,
    scan: Scan,
    *,
    queue_class: QueueClass,
    kinds: Collection[str] | None = None,
    wants_bag: bool = True,
    new_generation: bool = False,
) -> Requested:
    """Queue orders for what the scan's open generation does not have yet; at most once each.

    Args:
        kinds: the artifact kinds wanted; None for all.
        wants_bag: whether to seal once everything is settled.
        new_generation: archive a sealed scan once more, beside what is sealed.
    """
    if scan.state == ScanState.EXPIRED:
        return Requested.EXPIRED
    if scan.state == ScanState.FORGOTTEN:
        return Requested.FORGOTTEN
    generation = generations.current(tx, scan)
    if generation is not None and generation.state == GenerationState.FROZEN:
        return Requested.OPEN
    if generation is not None and generation.state == GenerationState.SEALED and not new_generation:
        return Requested.SEALED
    number = _open(tx, scan, generation, wants_bag=wants_bag)
    turns.promote(tx, scan.id, queue_class)
    placed = order_artifacts(tx, vendor, scan, number, kinds, attempt=1, queue_class=queue_class)
    finish(tx, scan, number)
    return Requested.QUEUED if placed else Requested.OPEN


def retry(
    tx: Tx,
    vendor: Vendor,
    scan: Scan,
    *,
    queue_class: QueueClass,
    kinds: Collection[str] | None = None,
) -> Requested:
    """Order again only what is missing of a failed scan; what arrived is left as it is.

    Args:
        kinds: the artifact kinds wanted; None for all.
    """
    generation = generations.current(tx, scan)
    if scan.state != ScanState.FAILED or generation is None:
        wants_bag = kinds is None
        return request(tx, vendor, scan, queue_class=queue_class, kinds=kinds, wants_bag=wants_bag)
    number = generation.number
    if kinds is None:
        generations.want_bag(tx, scan.id, number)
    lost = [
        one
        for one in artifacts.of_generation(tx, scan.id, number)
        # What could not be ordered is planned anew.
        if one.state == ArtifactState.MISSING
        and one.availability != Availability.MISSING
        and (kinds is None or one.kind in kinds)
    ]
    artifacts.expect_again(tx, lost)
    before = orders.of_scan(tx, scan.id, number)
    attempt = max((order.attempt for order in before), default=0) + 1
    registry.settle(tx, scan.id, ScanState.ORDERED)
    placed = order_artifacts(
        tx, vendor, scan, number, kinds, attempt=attempt, queue_class=queue_class
    )
    finish(tx, scan, number)
    return Requested.QUEUED if placed else Requested.OPEN


def put_back(tx: Tx, vendor: Vendor, scan: Scan, *, queue_class: QueueClass, why: str) -> Requested:
    """Order an expired scan once more: the vendor's 404 may have been about a wrong address."""
    events.record(tx, scan.id, "put back", reason=why)
    registry.settle(tx, scan.id, ScanState.FAILED, scan.reason)
    return retry(tx, vendor, registry.by_id(tx, scan.id), queue_class=queue_class)


def order_artifacts(
    tx: Tx,
    vendor: Vendor,
    scan: Scan,
    generation: int,
    kinds: Collection[str] | None,
    *,
    attempt: int,
    queue_class: QueueClass,
) -> list[str]:
    """Add what is planned and not there yet, order all that is expected and has no order."""
    planned = _plan_new(tx, vendor, scan, generation, kinds)
    files.insert(tx, scan, generation, planned)
    wanted = [
        PlannedArtifact(one.kind, one.name, one.vendor_name, Availability(one.availability))
        for one in artifacts.of_generation(tx, scan.id, generation)
        if one.state == ArtifactState.EXPECTED and one.order_id is None
    ]
    placed = [
        queue(
            tx,
            scan,
            generation,
            [one.name for one in part],
            attempt=attempt,
            queue_class=queue_class,
        )
        for part in (vendor.parts(wanted) if wanted else ())
    ]
    if placed:
        report_order(tx, scan, generation, placed, len(wanted), queue_class)
    report_kinds(tx, scan, generation, [one.kind for one in planned])
    return placed


def _open(tx: Tx, scan: Scan, generation: Generation | None, *, wants_bag: bool) -> int:
    if generation is None or generation.state != GenerationState.OPEN:
        return generations.open_next(tx, scan, wants_bag=wants_bag)
    if wants_bag:
        generations.want_bag(tx, scan.id, generation.number)
    return generation.number


def _plan_new(
    tx: Tx, vendor: Vendor, scan: Scan, generation: int, kinds: Collection[str] | None
) -> list[PlannedArtifact]:
    planned = [one for one in vendor.plan(scan) if kinds is None or one.kind in kinds]
    known = artifacts.of_generation(tx, scan.id, generation)
    names = {one.name for one in planned}
    # What could not be ordered before (no result ids) may have its names by now.
    outdated = [
        one
        for one in known
        if one.availability == Availability.MISSING
        and one.name not in names
        and one.kind in {new.kind for new in planned}
    ]
    artifacts.withdraw(tx, outdated)
    return _not_known(planned, [one for one in known if one not in outdated])


def _not_known(
    planned: Sequence[PlannedArtifact], known: Sequence[Artifact]
) -> list[PlannedArtifact]:
    """What is planned and not there, neither under its name nor as what the vendor said it is.

    Of a kind that has other names than were ever planned the vendor told the files itself
    (`Receipt.files`): what stood for them is not planned again beside them.
    """
    there = {one.name for one in known}
    named = {one.kind for one in known} - {one.kind for one in planned if one.name in there}
    return [one for one in planned if one.name not in there and one.kind not in named]
