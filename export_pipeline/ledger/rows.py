"""The ledger's rows as the rest of the project reads them: frozen, typed, without SQL."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from export_pipeline.scans import ScanKey


class ScanState(StrEnum):
    """Where a scan stands; the last four are settled."""

    REGISTERED = "registered"
    ORDERED = "ordered"
    ARCHIVED = "archived"
    PARTIAL = "partial"
    FAILED = "failed"
    EXPIRED = "expired at vendor"
    FORGOTTEN = "being forgotten"
    """Its tombstone is written, and not all of it is deleted yet: `forget` goes on with it."""


class OrderState(StrEnum):
    """queued -> sending -> waiting -> completed -> closed; a crash falls back, never forward."""

    QUEUED = "queued"
    SENDING = "sending"
    WAITING = "waiting"
    COMPLETED = "completed"
    CLOSED = "closed"


class Outcome(StrEnum):
    """How a closed order ended."""

    DELIVERED = "delivered"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    FAILED = "failed"
    GONE = "gone"


class ArtifactState(StrEnum):
    """Whether an artifact of a generation is still to come, or how it was settled."""

    EXPECTED = "expected"
    VERIFIED = "verified"
    ABSENT = "absent"
    MISSING = "missing"
    BROKEN = "broken"
    """In the store, and not what it should be: a new generation is made of the rest."""


class QueueClass(IntEnum):
    """Who asked for an order; lower goes first."""

    HAND = 0
    WEBHOOK = 1
    NIGHTLY = 2
    BACKLOG = 3


class GenerationState(StrEnum):
    """open: artifacts may still come; frozen: contents fixed, being sealed; sealed: for good.

    A generation with a broken artifact is frozen too, and abandoned for the next one.
    """

    OPEN = "open"
    FROZEN = "frozen"
    SEALED = "sealed"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class Scan:
    """A scan with what its vendor said of it (`details`, the vendor's own model as JSON)."""

    id: int
    vendor: str
    account: str
    scan: str
    state: ScanState
    reason: str
    source: str
    details: dict[str, Any]
    generation: int
    registered_at: float
    expires_at: float | None
    admitted_at: float | None

    @property
    def key(self) -> ScanKey:
        """Its full name."""
        return ScanKey(self.vendor, self.account, self.scan)


@dataclass(frozen=True)
class Generation:
    """One archived version of a scan, or the one being archived.

    Args:
        audited_at: when the bag was last reread, None if never since it was sealed.
        damage: what that found, "" if the bag is whole.
        seal_sha256: of the seal as it was written, "" before.
        details: what the scan's vendor had said of it when this was frozen, as in `Scan`.
        expires_at: when the vendor was to delete the scan, as known then.
    """

    scan_id: int
    number: int
    state: GenerationState
    verdict: str
    wants_bag: bool
    files: int
    bytes: int
    opened_at: float
    frozen_at: float | None
    sealed_at: float | None
    audited_at: float | None
    damage: str
    seal_sha256: str
    details: dict[str, Any] | None
    expires_at: float | None


@dataclass(frozen=True)
class Order:
    """One request to a vendor for artifacts of a scan.

    Args:
        sends: how often it may have left us, noted before the first byte does.
    """

    id: str
    scan_id: int
    vendor: str
    account: str
    generation: int
    part: int
    attempt: int
    state: OrderState
    outcome: str
    reason: str
    queue_class: QueueClass
    sends: int
    queued_at: float
    not_before: float
    expires_at: float | None
    sent_at: float | None
    deadline: float | None
    completed_at: float | None
    closed_at: float | None
    completion: dict[str, Any] | None
    request_id: str | None
    vendor_order: str | None


@dataclass(frozen=True)
class Artifact:
    """One file of a generation: expected, or settled."""

    scan_id: int
    generation: int
    name: str
    kind: str
    vendor_name: str
    availability: str
    state: ArtifactState
    reason: str
    order_id: str | None
    size: int | None
    sha256: str | None
    content_type: str | None
    checksum: str | None
    details: dict[str, Any] | None
    delivered_at: float | None
    verified_at: float | None


@dataclass(frozen=True)
class Report:
    """Something settled that Dagster has yet to be told, once, by whoever takes it."""

    id: int
    scan_id: int
    vendor: str
    generation: int
    asset: str
    status: str
    metadata: dict[str, Any]
    created_at: float


@dataclass(frozen=True)
class Letter:
    """A webhook as received."""

    id: int
    vendor: str
    account: str
    topic: str
    subject: str
    headers: dict[str, str]
    body: bytes
    received_at: float


@dataclass(frozen=True)
class Event:
    """One line of a scan's history."""

    at: float
    event: str
    order_id: str | None
    detail: dict[str, Any]
