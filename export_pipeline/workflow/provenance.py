"""`provenance.json`: all that the ledger knows of a sealed generation, written and read back.

It is what the ledger is made anew from if its database is lost (`workflow/rebuilding`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from export_pipeline.archive.moments import read_moment, write_moment
from export_pipeline.archive.tags import PROVENANCE_NAME
from export_pipeline.errors import BadInput
from export_pipeline.ledger.orders import NEVER
from export_pipeline.ledger.rows import (
    Artifact,
    ArtifactState,
    Event,
    Generation,
    GenerationState,
    Order,
    OrderState,
    QueueClass,
    Scan,
    ScanState,
)
from export_pipeline.vendors.artifacts import Availability

Record = dict[str, Any]
NO_ROW = 0
"""Row id of a scan that was read from a bag."""


@dataclass(frozen=True)
class Contents:
    """What goes into the bag of a frozen generation, and nothing that came after."""

    scan: Scan
    generation: Generation
    artifacts: Sequence[Artifact]
    orders: Sequence[Order]
    events: Sequence[Event]

    def of(self, state: ArtifactState) -> list[Artifact]:
        """The artifacts that were settled so."""
        return [one for one in self.artifacts if one.state == state]

    @property
    def given_up(self) -> list[Artifact]:
        """What was ordered and settled without it."""
        ordered = (Availability.EXPECTED, Availability.UNKNOWN)
        lost = (*self.of(ArtifactState.MISSING), *self.of(ArtifactState.ABSENT))
        return [one for one in lost if one.availability in ordered]


def write_provenance(contents: Contents) -> bytes:
    """What was ordered, answered and found: artifacts by name, never by endpoint."""
    scan, generation = contents.scan, contents.generation
    record: Record = {
        "vendor": scan.vendor,
        "account": scan.account,
        "scan": scan.scan,
        "source": scan.source,
        "details": generation.details,
        "registered_at": write_moment(scan.registered_at),
        "expires_at": write_moment(generation.expires_at),
        "generation": generation.number,
        "verdict": generation.verdict,
        "opened_at": write_moment(generation.opened_at),
        "sealed_at": write_moment(generation.frozen_at),
        "artifacts": [_artifact(one) for one in contents.artifacts],
        "orders": [_order(one) for one in contents.orders],
        "events": [_event(one) for one in contents.events],
    }
    return (json.dumps(record, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def _artifact(artifact: Artifact) -> Record:
    return {
        "name": artifact.name,
        "kind": artifact.kind,
        "vendor_name": artifact.vendor_name,
        "availability": artifact.availability,
        "state": artifact.state,
        "reason": artifact.reason,
        "order": artifact.order_id,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "content_type": artifact.content_type,
        "store_checksum": artifact.checksum,
        "details": artifact.details,
        "delivered_at": write_moment(artifact.delivered_at),
        "verified_at": write_moment(artifact.verified_at),
    }


def _order(order: Order) -> Record:
    return {
        "id": order.id,
        "generation": order.generation,
        "part": order.part,
        "attempt": order.attempt,
        "outcome": order.outcome,
        "reason": order.reason,
        "queue_class": order.queue_class.name.lower(),
        "sends": order.sends,
        "vendor_order": order.vendor_order,
        "request_id": order.request_id,
        "queued_at": write_moment(order.queued_at),
        "sent_at": write_moment(order.sent_at),
        "completed_at": write_moment(order.completed_at),
        "closed_at": write_moment(order.closed_at),
        "completion": order.completion,
    }


def _event(event: Event) -> Record:
    return {
        "at": write_moment(event.at),
        "event": event.event,
        "order": event.order_id,
        "detail": event.detail,
    }


def read_provenance(data: bytes, *, seal_sha256: str) -> Contents:
    """Read back what `write_provenance` wrote, to the millisecond, as the ledger's rows.

    Args:
        data: of a sealed bag.
        seal_sha256: of the seal that vouches for it.

    Raises:
        BadInput: it is not what this release writes; the text says what is wrong.
    """
    try:
        return _read(json.loads(data), seal_sha256)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            f"{PROVENANCE_NAME} is not as this release writes it: {type(error).__name__} {error}"
        ) from None


def _read(record: Record, seal_sha256: str) -> Contents:
    scan = Scan(
        id=NO_ROW,
        vendor=record["vendor"],
        account=record["account"],
        scan=record["scan"],
        state=ScanState(record["verdict"]),
        reason="",
        source=record["source"],
        details=dict(record["details"]),
        generation=record["generation"],
        registered_at=_moment(record["registered_at"]),
        expires_at=read_moment(record["expires_at"]),
        admitted_at=None,
    )
    artifacts = [_read_artifact(one, scan) for one in record["artifacts"]]
    kept = [one.size or 0 for one in artifacts if one.state == ArtifactState.VERIFIED]
    sealed_at = _moment(record["sealed_at"])
    generation = Generation(
        scan_id=NO_ROW,
        number=scan.generation,
        state=GenerationState.SEALED,
        verdict=scan.state,
        wants_bag=True,
        files=len(kept),
        bytes=sum(kept),
        opened_at=_moment(record["opened_at"]),
        frozen_at=sealed_at,
        sealed_at=sealed_at,
        audited_at=None,
        damage="",
        seal_sha256=seal_sha256,
        details=scan.details,
        expires_at=scan.expires_at,
    )
    return Contents(
        scan=scan,
        generation=generation,
        artifacts=artifacts,
        orders=[_read_order(one, scan) for one in record["orders"]],
        events=[
            Event(_moment(one["at"]), one["event"], one["order"], dict(one["detail"]))
            for one in record["events"]
        ],
    )


def _read_artifact(record: Record, scan: Scan) -> Artifact:
    return Artifact(
        scan_id=NO_ROW,
        generation=scan.generation,
        name=record["name"],
        kind=record["kind"],
        vendor_name=record["vendor_name"],
        availability=record["availability"],
        state=ArtifactState(record["state"]),
        reason=record["reason"],
        order_id=record["order"],
        size=record["size"],
        sha256=record["sha256"],
        content_type=record["content_type"],
        checksum=record["store_checksum"],
        details=record["details"],
        delivered_at=read_moment(record["delivered_at"]),
        verified_at=read_moment(record["verified_at"]),
    )


def _read_order(record: Record, scan: Scan) -> Order:
    queued_at = _moment(record["queued_at"])
    return Order(
        id=record["id"],
        scan_id=NO_ROW,
        vendor=scan.vendor,
        account=scan.account,
        generation=record["generation"],
        part=record["part"],
        attempt=record["attempt"],
        state=OrderState.CLOSED,
        outcome=record["outcome"],
        reason=record["reason"],
        queue_class=QueueClass[record["queue_class"].upper()],
        sends=record["sends"],
        queued_at=queued_at,
        not_before=queued_at,
        expires_at=NEVER if scan.expires_at is None else scan.expires_at,
        sent_at=read_moment(record["sent_at"]),
        deadline=None,
        completed_at=read_moment(record["completed_at"]),
        closed_at=read_moment(record["closed_at"]),
        completion=record["completion"],
        request_id=record["request_id"],
        vendor_order=record["vendor_order"],
    )


def _moment(text: str) -> float:
    moment = read_moment(text)
    if moment is None:
        raise ValueError("a time is missing")
    return moment
