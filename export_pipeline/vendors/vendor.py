"""The one interface by which the workflow knows a vendor."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO, Protocol

from export_pipeline.errors import ExportPipelineError
from export_pipeline.ledger.quotas import Quota
from export_pipeline.ledger.rows import Artifact, Order, Scan
from export_pipeline.receiver.signatures import Signed
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
    """The vendor's word that an order ended.

    Args:
        deliveries: its word on each artifact that it pushed.
        unmatched: tasks in the webhook that name no artifact of the order.
        is_ready: whether its artifacts wait at the vendor, to be pulled with `Vendor.open`.
        staged: artifact name -> the store's key below `.incoming/` to which the vendor wrote it.
        failure: why the vendor could not bring it, in its own words; "" if it did.
        is_final: whether another order of the same would fail in the same way.
    """

    deliveries: tuple[Delivery, ...] = ()
    unmatched: int = 0
    is_ready: bool = False
    staged: Mapping[str, str] = field(default_factory=dict)
    failure: str = ""
    is_final: bool = False


@dataclass(frozen=True)
class Asking:
    """How a vendor is asked after its orders, where it can be.

    Args:
        at_once: orders in one call of `Vendor.ask`.
        first_seconds: from an order's acceptance until it is first asked after; the pause between
            two later questions grows with its age,
        longest_seconds: up to this.
        holds: whether the vendor itself holds the answer until an order ends (a long poll): then
            no pause is needed.
        together: questions of one account that are open at the same time.
        apart_seconds: between the begin of two of them.
    """

    at_once: int
    first_seconds: float
    longest_seconds: float
    holds: bool = False
    together: int = 1
    apart_seconds: float = 0.0


@dataclass(frozen=True)
class Opened:
    """An artifact as it comes from the vendor.

    Args:
        chunks: its bytes; ends with a `VendorError` if they are not whole.
        vendor_name: the vendor's own name of the file, made safe; "" keeps what was planned.
        details: what else the vendor says of it, kept with the artifact.
    """

    chunks: AsyncIterator[bytes] = field(repr=False)
    vendor_name: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Loan:
    """How a vendor may write one artifact into the store by itself, with credentials lent to it.

    Args:
        key: the store's key below `.incoming/`; the order's own, so that nobody else writes there.
        operation: CloudConvert's, e.g. `export/s3`.
        arguments: with the credentials: never log them.
    """

    key: str
    operation: str
    arguments: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True)
class StoredSource:
    """An archived file that a vendor is to take in.

    Args:
        url: reads it, for whoever has it, until the order's deadline; None if none is signed.
        chunks: reads it with the store's own credentials.
    """

    url: str | None = field(repr=False)
    chunks: Callable[[], AsyncIterator[bytes]] = field(repr=False)


async def _has_room(name: str) -> None:
    pass


def _no_source(key: str) -> StoredSource:
    raise ExportPipelineError(f"{key}: this order is given no archived file")


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
        sign: artifact name -> where a vendor writes it straight into the store, once, until the
            order's deadline, with exactly the headers given; None if the store cannot sign.
        lend: artifact name -> how the vendor writes it with credentials of its own, None without.
        make_room: artifact name -> makes the folder into which the vendor writes it so.
        source: the store's key -> that archived file, for the vendor to take in.
        is_on_time: whether the claimed turn still holds; asked right before the call is sent.
    """

    order: Order
    scan: Scan
    targets: Mapping[str, UploadTarget] = field(repr=False)
    vendor_names: Mapping[str, str]
    kinds: Mapping[str, str]
    completion: UploadTarget
    sign: Callable[[str], UploadTarget | None] = field(default=lambda _: None, repr=False)
    lend: Callable[[str], Loan | None] = field(default=lambda _: None, repr=False)
    make_room: Callable[[str], Awaitable[None]] = field(default=_has_room, repr=False)
    source: Callable[[str], StoredSource] = field(default=_no_source, repr=False)
    is_on_time: Callable[[], bool] = field(default=lambda: True, repr=False)


@dataclass(frozen=True)
class Receipt:
    """A vendor's acceptance of an order.

    Args:
        request_id: the vendor's id of the request.
        vendor_order: the vendor's own id of the order, where the vendor chooses it.
        files: what the order turned out to bring, in place of the artifacts that were planned;
            None if they stand. An artifact that keeps its name keeps its place.
        completion: given if the order ended at once.
    """

    request_id: str | None = None
    vendor_order: str | None = None
    files: tuple[PlannedArtifact, ...] | None = None
    completion: Completion | None = None


class Vendor(Protocol):
    """One vendor with all its configured accounts."""

    @property
    def name(self) -> str:
        """`copyleaks`, `laserfiche`, ..."""

    @property
    def accounts(self) -> Sequence[str]:
        """Short names of the accounts that are configured."""

    @property
    def wrong(self) -> Mapping[str, str]:
        """Those that are set and cannot be used, each with why and what to set."""

    @property
    def kinds(self) -> Sequence[ArtifactKind]:
        """Its assets, in the order in which the UI shows them."""

    @property
    def pushes(self) -> bool:
        """Whether each artifact of an order needs an upload target beforehand.

        Such a vendor may send a Content-Type of its own, so that none is signed for it.
        """

    @property
    def writes(self) -> bool:
        """Whether it writes into the store by itself, by signed URLs or what was lent to it."""

    @property
    def posts(self) -> bool:
        """Whether its scans' own webhooks come to us with our token (`read_registration`)."""

    @property
    def deletes_archived(self) -> bool:
        """Whether the user asked to delete at the vendor what is archived (`after_sealed`)."""

    @property
    def keeps(self) -> str:
        """What `erase` leaves at the vendor, in words; "" if nothing that is known of."""

    @property
    def asking(self) -> Asking | None:
        """How to ask after orders; None if only a webhook tells."""

    @property
    def signed(self) -> Signed | None:
        """How webhooks that it signs itself are told genuine; None if it posts with our token."""

    def require(self, account: str) -> None:
        """Make sure that the account is configured.

        Raises:
            ConfigError: it is not; names the variables to set.
        """

    def require_all(self) -> None:
        """Make sure that every account that is set can be used.

        Raises:
            ConfigError: some cannot; names the variables to set.
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

    async def ask(self, account: str, orders: Sequence[Order]) -> Mapping[str, Completion]:
        """The completions, by order id, of those orders that ended; may hold for a minute.

        What cannot be asked after right now is left out, and asked after again later.

        Raises:
            VendorError: none could be asked after, all of them being of one account.
        """

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

    def open(self, order: Order, artifact: Artifact) -> AbstractAsyncContextManager[Opened]:
        """Stream one artifact of a completed order from the vendor, where `is_ready` said so.

        Raises:
            ResultLost: what the order made is gone, or is not what the vendor said: order again.
            VendorError: see errors.py.
        """

    async def after_sealed(self, scan: Scan, orders: Sequence[Order]) -> None:
        """Delete at the vendor what the orders of a sealed generation made or adopted there.

        Raises:
            VendorError: not all could be deleted; doing it again later is fine.
            ConfigError: the account has no credentials.
        """

    async def erase(self, scan: Scan, orders: Sequence[Order]) -> None:
        """Delete at the vendor the scan itself, where it is ours to delete, and what orders made.

        Raises:
            VendorError: not all could be deleted; doing it again later is fine.
            ConfigError: the account has no credentials.
        """

    async def check(self, account: str) -> str:
        """Try the account's credentials; return one line that says what works.

        Raises:
            VendorError: what is wrong, in words.
        """

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
