"""Whether a scan can be forgotten now, what would go with it, and why not where it cannot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from export_pipeline.archive import erasure
from export_pipeline.archive.erasure import Kept
from export_pipeline.archive.holds import is_held
from export_pipeline.archive.layout import INCOMING
from export_pipeline.archive.tombstones import Tombstone
from export_pipeline.ledger import holds, orders, registry, tombstones
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.holds import Hold
from export_pipeline.ledger.rows import Order, Scan
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.conversions import conversions_of, source_of
from export_pipeline.workflow.pipeline import Pipeline

_HELD_IN_STORE = (
    "is on hold in the store, which the ledger does not know: place the hold with"
    " `export-pipeline hold`, and release it if the scan may be forgotten"
)


@dataclass(frozen=True)
class Known:
    """What the ledger knows of a scan.

    Args:
        key: its full name.
        vendor: whose it is.
        digest: that of its tombstone.
        scan: its row; None where the ledger has none.
        orders: all of them.
        hold: its legal hold or that of the scan of which it is made, None without one.
        tombstone: why and when it was forgotten; None if it was not.
        now: seconds since the epoch, by the ledger.
    """

    key: ScanKey
    vendor: Vendor
    digest: str
    scan: Scan | None
    orders: Sequence[Order]
    hold: Hold | None
    tombstone: Tombstone | None
    now: float

    @property
    def folders(self) -> list[str]:
        """The folders of the store that hold files of it."""
        return erasure.folders(self.key, [order.id for order in self.orders])


@dataclass(frozen=True)
class Candidate:
    """A scan that somebody wants forgotten.

    Args:
        known: what the ledger knows of it.
        kept: what the store has of it.
        obstacles: why it cannot be forgotten now, a sentence each; those of `made` too.
        made: what is made of it and goes with it.
    """

    known: Known
    kept: Kept
    obstacles: tuple[str, ...]
    made: tuple["Candidate", ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether there is, or was, such a scan."""
        return bool(self.known.scan or self.known.tombstone or self.kept.objects)


async def look(pipeline: Pipeline, key: ScanKey) -> Candidate:
    """Look at all that there is of a scan and of what is made of it, and at what keeps it.

    Args:
        pipeline: of the scan's vendor.
        key: the scan.

    Raises:
        ConfigError: there is no key for tombstones.
        StoreError: the store cannot be looked at.
    """
    one = await _look(pipeline, key)
    looked = [await _look(_converting(pipeline), made) for made in conversions_of(key)]
    made = tuple(found for found in looked if found.is_known)
    found = dict.fromkeys(words for each in (one, *made) for words in each.obstacles)
    return replace(one, obstacles=tuple(found), made=made)


def each_once(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The scans and what is made of them; that goes first, as it is found by its scan."""
    every = [made for one in candidates for made in (*one.made, one)]
    return list({one.known.key: one for one in every}.values())


def _converting(pipeline: Pipeline) -> Pipeline:
    return replace(pipeline, vendor=CloudConvert(pipeline.settings, pipeline.ledger))


async def _look(pipeline: Pipeline, key: ScanKey) -> Candidate:
    known = await pipeline.ledger.look(read_known, pipeline.settings, pipeline.vendor, key)
    kept = await erasure.look(pipeline.store, known.folders)
    found = [*obstacles(pipeline, known), *(f"{key}: {lock}" for lock in kept.locks)]
    source = source_of(known.scan) if known.scan else None
    if known.hold is None:
        held = [one for one in (key, source) if one and await is_held(pipeline.store, one)]
        found += [f"{one} {_HELD_IN_STORE}" for one in held]
    return Candidate(known, kept, tuple(found))


def read_known(tx: Tx, settings: Settings, vendor: Vendor, key: ScanKey) -> Known:
    """Read what the ledger knows of a scan of that vendor.

    Raises:
        ConfigError: there is no key for tombstones.
    """
    secret = tombstones.require_key(tx, settings.tombstone_secret)
    digest = tombstones.scan_digest(secret, key)
    buried = tombstones.find(tx, digest)
    scan = registry.find(tx, key)
    source = source_of(scan) if scan else None
    return Known(
        key=key,
        vendor=vendor,
        digest=digest,
        scan=scan,
        orders=orders.of_scan(tx, scan.id) if scan else [],
        hold=holds.find(tx, key) or (holds.find(tx, source) if source else None),
        tombstone=Tombstone(digest, *buried) if buried else None,
        now=tx.now,
    )


def obstacles(pipeline: Pipeline, known: Known) -> list[str]:
    """Why the scan cannot be forgotten, as far as the ledger tells."""
    found = [_on_hold(known.hold)] if known.hold else []
    if (until := _written_until(pipeline, known)) > known.now:
        moment = datetime.fromtimestamp(until, UTC)
        found.append(
            f"{known.key}: {known.key.vendor} can write into the store until"
            f" {moment:%Y-%m-%d %H:%M} UTC, by what its last order was given: forget it after that"
        )
    return found


def _on_hold(hold: Hold) -> str:
    since = datetime.fromtimestamp(hold.at, UTC)
    return (
        f"{hold.key} is on hold since {since:%Y-%m-%d}: {hold.reason}; release it with"
        " `export-pipeline hold --release` if it may be forgotten"
    )


def _written_until(pipeline: Pipeline, known: Known) -> float:
    """Until when the vendor itself may write, by URLs or credentials; 0 if it never could."""
    store, seconds = pipeline.store, pipeline.settings.order_deadline
    sent = [order.sent_at for order in known.orders if order.sent_at is not None]
    if not sent or not known.vendor.writes:
        return 0.0
    may_write = store.capabilities.signs_uploads or store.cloudconvert(f"{INCOMING}x") is not None
    return max(sent) + seconds if may_write else 0.0
