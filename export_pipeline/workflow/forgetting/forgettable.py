"""Whether a scan can be forgotten now, what would go with it, and why not where it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
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
from export_pipeline.workflow.pipeline import Pipeline


@dataclass(frozen=True)
class Known:
    """What the ledger knows of a scan.

    Args:
        key: its full name.
        digest: that of its tombstone.
        scan: its row; None where the ledger has none.
        orders: all of them.
        hold: its legal hold, None without one.
        tombstone: why and when it was forgotten; None if it was not.
        now: seconds since the epoch, by the ledger.
    """

    key: ScanKey
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
        obstacles: why it cannot be forgotten now, a sentence each.
    """

    known: Known
    kept: Kept
    obstacles: tuple[str, ...]

    @property
    def is_known(self) -> bool:
        """Whether there is, or was, such a scan."""
        return bool(self.known.scan or self.known.tombstone or self.kept.objects)


async def look(pipeline: Pipeline, key: ScanKey) -> Candidate:
    """Look at all that there is of a scan, and at what keeps it.

    Raises:
        ConfigError: there is no key for tombstones.
        StoreError: the store cannot be looked at.
    """
    known = await pipeline.ledger.look(read_known, pipeline, key)
    kept = await erasure.look(pipeline.store, known.folders)
    found = [*obstacles(pipeline, known), *(f"{key}: {lock}" for lock in kept.locks)]
    if known.hold is None and await is_held(pipeline.store, key):
        found.append(
            f"{key} is on hold in the store, which the ledger does not know: place the hold with"
            " `export-pipeline hold`, and release it if the scan may be forgotten"
        )
    return Candidate(known, kept, tuple(found))


def read_known(tx: Tx, pipeline: Pipeline, key: ScanKey) -> Known:
    """Read what the ledger knows of a scan.

    Raises:
        ConfigError: there is no key for tombstones.
    """
    secret = tombstones.require_key(tx, pipeline.settings.tombstone_secret)
    digest = tombstones.scan_digest(secret, key)
    buried = tombstones.find(tx, digest)
    scan = registry.find(tx, key)
    return Known(
        key=key,
        digest=digest,
        scan=scan,
        orders=orders.of_scan(tx, scan.id) if scan else [],
        hold=holds.find(tx, key),
        tombstone=Tombstone(digest, *buried) if buried else None,
        now=tx.now,
    )


def obstacles(pipeline: Pipeline, known: Known) -> list[str]:
    """Why the scan cannot be forgotten, as far as the ledger tells."""
    found = [_on_hold(known.hold)] if known.hold else []
    if (until := _written_until(pipeline, known.orders)) > known.now:
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


def _written_until(pipeline: Pipeline, placed: Sequence[Order]) -> float:
    """Until when the vendor itself may write, by URLs or credentials; 0 if it never could."""
    store, seconds = pipeline.store, pipeline.settings.order_deadline
    lends = store.cloudconvert(f"{INCOMING}x") is not None
    if not pipeline.vendor.writes or not (store.capabilities.signs_uploads or lends):
        return 0.0
    sent = [order.sent_at for order in placed if order.sent_at is not None]
    return max(sent) + seconds if sent else 0.0
