"""The one interface by which the workflow knows a vendor."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO, Protocol

from export_pipeline.ledger.quotas import Quota
from export_pipeline.ledger.rows import Order, Scan
from export_pipeline.storage.store import UploadTarget


class Availability(StrEnum):
    """What is known of an artifact before it is ordered."""

    EXPECTED = "expected"
    """The scan has it."""
    UNKNOWN = "unknown"
    """The scan may have it: asked for, and absent if the vendor refuses."""
    ABSENT = "absent"
    """The scan does not have it; `reason` says how that is known."""
    MISSING = "missing"
    """The scan has it, and it cannot be ordered; `reason` says why and what to do."""


@dataclass(frozen=True)
class ArtifactKind:
    """One asset of a vendor: `results` may be many files of a scan, the others are one.

    Args:
        name: the asset's name, e.g. `pdf_report`.
        description: one sentence for the UI.
        media_type: content type of its files.
        opener: reads a file from its start, returns what it learned (`{"pages": 3}`), raises
            `Unreadable` with the reason if the bytes are not what they should be.
    """

    name: str
    description: str
    media_type: str
    opener: Callable[[BinaryIO], dict[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class PlannedArtifact:
    """One file that a scan has, may have, or has not.

    Args:
        kind: name of its `ArtifactKind`.
        name: path below the bag's `data/`, escaped, e.g. `results/2a1b402420.json`.
        vendor_name: the vendor's own name for it, e.g. a result id; "" where it has none.
        availability: what is known of it.
        reason: why absent or missing; "" otherwise.
    """

    kind: str
    name: str
    vendor_name: str = ""
    availability: Availability = Availability.EXPECTED
    reason: str = ""


@dataclass(frozen=True)
class Registration:
    """What a scan's own webhook or an import line says of it.

    Args:
        scan: the vendor's own id.
        details: the vendor's model of the scan as JSON, kept in the ledger as it is.
        expires_at: when the vendor deletes it, seconds since the epoch, None if unknown.
        failure: why the vendor could not finish the scan; "" if it did.
    """

    scan: str
    details: dict[str, Any] = field(default_factory=dict)
    expires_at: float | None = None
    failure: str = ""


@dataclass(frozen=True)
class Delivery:
    """The vendor's word on one artifact of an order; the store's word counts, not this one."""

    name: str
    healthy: bool
    status: int | None


@dataclass(frozen=True)
class Completion:
    """The vendor's word that an order ended."""

    deliveries: tuple[Delivery, ...] = ()
    unmatched: int = 0
    """Tasks in the webhook that name no artifact of the order."""


@dataclass(frozen=True)
class Placement:
    """What a vendor is asked to do: an order, where each artifact goes, where to say it is done.

    Args:
        order: the order as the ledger has it.
        scan: its scan.
        targets: artifact name -> where the vendor writes it; empty for vendors that are pulled.
        vendor_names: artifact name -> the vendor's name for it.
        kinds: artifact name -> its kind.
        completion: where the vendor posts that it ended.
        is_on_time: whether the claimed turn still holds; asked right before the call is sent.
    """

    order: Order
    scan: Scan
    targets: Mapping[str, UploadTarget] = field(repr=False)
    vendor_names: Mapping[str, str]
    kinds: Mapping[str, str]
    completion: UploadTarget
    is_on_time: Callable[[], bool] = field(default=lambda: True, repr=False)


@dataclass(frozen=True)
class Receipt:
    """A vendor's acceptance of an order."""

    request_id: str | None = None
    vendor_order: str | None = None
    """The vendor's own id of the order, where the vendor chooses it."""


class Vendor(Protocol):
    """One vendor with all its configured accounts."""

    @property
    def name(self) -> str:
        """`copyleaks`, `laserfiche`, ..."""

    @property
    def accounts(self) -> Sequence[str]:
        """Short names of the accounts that are configured."""

    @property
    def kinds(self) -> Sequence[ArtifactKind]:
        """Its assets, in the order in which the UI shows them."""

    @property
    def pushes(self) -> bool:
        """Whether it writes into upload targets; else artifacts are pulled with `open`."""

    def require(self, account: str) -> None:
        """Make sure that the account is configured.

        Raises:
            ConfigError: it is not; names the variables to set.
        """

    def quotas(self, account: str) -> Sequence[Quota]:
        """The quotas that sending one order uses; all are claimed before `place`."""

    def plan(self, scan: Scan) -> Sequence[PlannedArtifact]:
        """Every artifact of the scan with what is known of it; pure."""

    def parts(self, artifacts: Sequence[PlannedArtifact]) -> Sequence[Sequence[PlannedArtifact]]:
        """Split what is to be ordered into as few orders as the vendor's limits allow; pure."""

    async def prepare(self, account: str) -> None:
        """Do what the next call needs beforehand, so that it does not cost the claimed turn.

        Raises:
            VendorError: the credentials were refused, or the vendor is away.
            ConfigError: the account has no credentials.
        """

    async def place(self, placement: Placement) -> Receipt:
        """Send one order.

        Raises:
            VendorError: see errors.py; the class says whether and how to go on.
            TurnMissed: nothing was sent, since the claimed turn had passed.
        """

    async def ask(self, orders: Sequence[Order]) -> Mapping[str, Completion]:
        """The completions, by order id, of those orders that ended; empty if it cannot be asked."""

    def read_registration(self, status: str, body: bytes) -> Registration | None:
        """Read a scan's own webhook; None if it says nothing to act on.

        Raises:
            BadInput: the body is not what the vendor documents.
        """

    def read_completion(self, body: bytes, endpoints: Mapping[str, str]) -> Completion:
        """Read the webhook that ends an order; `endpoints` is artifact name -> URL ordered.

        Raises:
            BadInput: the body is not what the vendor documents.
        """

    def open(self, order: Order, artifact: str) -> AsyncIterator[bytes]:
        """Stream one artifact of a completed order from the vendor (pulled vendors only)."""

    async def check(self, account: str) -> str:
        """Try the account's credentials; return one line that says what works.

        Raises:
            VendorError: what is wrong, in words.
        """

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
