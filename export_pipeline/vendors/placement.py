"""What a vendor is asked to do, with what it is given for that, and its acceptance."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from export_pipeline.errors import ExportPipelineError
from export_pipeline.ledger.rows import Order, Scan
from export_pipeline.storage.store import UploadTarget
from export_pipeline.vendors.artifacts import PlannedArtifact
from export_pipeline.vendors.completion import Completion


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


async def _leaves() -> None:
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
        leaves: notes that the request that orders is about to leave, for `Order.sends`; called
            before it with no other call between, save a wait for a turn or a login of up to a
            minute, and not for a look at the vendor before it. Raises `TurnMissed` where the
            order is no longer this turn's to send.
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
    leaves: Callable[[], Awaitable[None]] = field(default=_leaves, repr=False)


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
