"""The one interface by which the workflow knows a vendor."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from export_pipeline.ledger.quotas import Quota
from export_pipeline.ledger.rows import Artifact, Order, Scan
from export_pipeline.receiver.signatures import Signed
from export_pipeline.vendors.artifacts import ArtifactKind, PlannedArtifact
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.placement import Placement, Receipt


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
            TurnMissed: nothing was ordered, since the claimed turn had passed.
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
