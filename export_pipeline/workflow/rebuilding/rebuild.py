"""Make the ledger anew from the store alone: from bags, audits, holds and tombstones.

What is sealed is there; what was only registered, ordered or under way is not.
"""

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from secrets import token_hex
from typing import TypeVar

from export_pipeline.archive.fixity_records import FixityRecord, read_records
from export_pipeline.archive.holds import read_holds
from export_pipeline.archive.layout import bag_prefix, scan_prefix
from export_pipeline.archive.tombstones import Tombstone, read_tombstones
from export_pipeline.ledger import admission, artifacts, erase, holds, inventory, tombstones
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.held import copying
from export_pipeline.ledger.holds import Hold
from export_pipeline.ledger.restore import Audited, LackedScan, note_audits, restore
from export_pipeline.ledger.rows import GenerationState, Scan
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store
from export_pipeline.workflow.describe import BAG, describe
from export_pipeline.workflow.queue import ORDER
from export_pipeline.workflow.rebuilding.beside import lost_bags, returned
from export_pipeline.workflow.rebuilding.found import FoundScan, Named, find_scans
from export_pipeline.workflow.rebuilding.rebuilt import Rebuilt
from export_pipeline.workflow.settle import report

NAME_BYTES = 4
ROWS_PER_PAGE = 5_000
"""Artifacts or audits held in memory, and added in one transaction; of a larger scan all."""
AS_SEALED = (GenerationState.SEALED, GenerationState.FROZEN)
"""States in which the ledger may have a bag whose seal is in the store."""

Item = TypeVar("Item")
Known = Mapping[Named, tuple[int, GenerationState]]
"""Generations that the ledger has: scan row id and state of each."""


async def rebuild(
    ledger: Ledger,
    store: Store,
    vendors: Collection[str],
    *,
    tombstone_secret: str | None,
    dry_run: bool = False,
    show: int = 0,
) -> AsyncIterator[Rebuilt]:
    """Add what the ledger lacks, page by page; yield how far it is, the same object, after each.

    Each page is a transaction: interrupted, it is started again and goes on with what is missing.

    Args:
        ledger: empty, or with rows; these are left as they are.
        store: the archive.
        vendors: names of those that this release knows.
        tombstone_secret: the key of the tombstones, None if it is lost.
        dry_run: whether only to tell what would be added.
        show: most scans that Dagster is to show again.

    Raises:
        BadInput: a hold or a tombstone cannot be read; nothing is added then.
        StoreError: the store failed.
    """
    async with copying(ledger, f"the rebuilt ledger ({token_hex(NAME_BYTES)})"):
        buried = [one async for one in read_tombstones(store)]
        held = [one async for one in read_holds(store)]
        digests = {one.digest for one in buried} | await ledger.look(tombstones.digests)
        done = Rebuilt(holds=len(held), tombstones=len(buried))
        done.is_told = not digests or _is_key(tombstone_secret, digests)
        if not dry_run:
            await ledger.apply(_keep, buried, held)
        work = _Rebuilding(
            ledger, store, _forgotten(tombstone_secret, digests), done, dry_run=dry_run, show=show
        )
        if digests:
            await work.stop_forgotten()
        async for _ in work.add_bags(find_scans(store, vendors)):
            yield done
        async for _ in work.add_audits():
            yield done
        await work.name_lost()
        yield done


class _Rebuilding:
    """A rebuilding under way; `done` tells how far it is."""

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        is_forgotten: Callable[[ScanKey], bool],
        done: Rebuilt,
        *,
        dry_run: bool,
        show: int,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._is_forgotten = is_forgotten
        self._done = done
        self._dry_run = dry_run
        self._show = show
        self._sealed: set[str] = set()
        self._stopped: set[ScanKey] = set()

    async def stop_forgotten(self) -> None:
        """Take scans that were forgotten out of everybody's hands, and out of the catalog."""
        async for scan in returned(self._ledger, self._is_forgotten):
            words = "it was forgotten, and the ledger has it"
            self._done.forgotten.add([(scan_prefix(scan.key), words)])
            self._stopped.add(scan.key)
            if not self._dry_run:
                await self._ledger.apply(erase.stop, scan)

    async def add_bags(self, found: AsyncIterable[FoundScan]) -> AsyncIterator[None]:
        """Add what the ledger lacks of the bags, a page at a time."""
        async for page in _pages(found, lambda one: 1 + one.artifacts):
            self._sealed.update(folder for one in page for folder in one.sealed)
            self._done.bags += sum(len(one.bags) for one in page)
            wanted = self._without_forgotten(page)
            if self._dry_run:
                await self._ledger.look(_compare, self._done, wanted)
            else:
                await self._ledger.apply(_add, self._done, wanted, self._show)
            yield

    def _without_forgotten(self, page: Sequence[FoundScan]) -> list[FoundScan]:
        """Leave out scans that were forgotten, and name those that are not named by the ledger."""
        forgotten = {one.key for one in page if one.key and self._is_forgotten(one.key)}
        words = "it was forgotten, and this is left of it"
        left = sorted(map(scan_prefix, forgotten - self._stopped))
        self._done.forgotten.add((folder, words) for folder in left)
        return [one for one in page if one.key not in forgotten]

    async def add_audits(self) -> AsyncIterator[None]:
        """Note what audits found, a page at a time; a table that cannot be read is passed over."""
        async for records in _pages(read_records(self._store, self._name_unreadable), lambda _: 1):
            self._done.audits += len(records)
            if not self._dry_run:
                await self._ledger.apply(note_audits, [_audited(one) for one in records])
            yield

    async def name_lost(self) -> None:
        """Name the bags that a catalog has and the store has not."""
        async for lost in lost_bags(
            self._store, self._sealed, self._is_forgotten, self._name_unreadable
        ):
            self._done.lost.add([lost])

    def _name_unreadable(self, table: str, reason: str) -> None:
        self._done.unreadable.add([(table, reason)])


async def _pages(
    items: AsyncIterable[Item], rows: Callable[[Item], int]
) -> AsyncIterator[list[Item]]:
    page: list[Item] = []
    held = 0
    async for item in items:
        page.append(item)
        held += rows(item)
        if held >= ROWS_PER_PAGE:
            yield page
            page, held = [], 0
    yield page


def _is_key(secret: str | None, digests: Collection[str]) -> bool:
    return secret is not None and tombstones.key_digest(secret) in digests


def _forgotten(secret: str | None, digests: Collection[str]) -> Callable[[ScanKey], bool]:
    return lambda key: secret is not None and tombstones.scan_digest(secret, key) in digests


def _keep(tx: Tx, buried: Sequence[Tombstone], held: Sequence[Hold]) -> None:
    for one in buried:
        tombstones.add(tx, [one.digest], one.reason, one.at)
    for hold in held:
        if holds.find(tx, hold.key) is None:
            holds.add(tx, hold)


def _compare(tx: Tx, done: Rebuilt, page: Sequence[FoundScan]) -> list[LackedScan]:
    """Count a page, and return what the ledger lacks of it."""
    known = inventory.states(tx, [name for found in page for name in found.generations])
    for found in page:
        done.unsealed.add(_unsealed(found, known))
        done.unreadable.add(found.unreadable)
        done.differing.add(_differing(found, known))
    lacking = [one for found in page if (one := found.lacking(known)) is not None]
    done.scans += len(lacking)
    done.added += sum(len(one.generations) for one in lacking)
    return lacking


def _unsealed(found: FoundScan, known: Known) -> Iterator[tuple[str, str]]:
    return ((bag_prefix(*name), "it has no seal") for name in found.unsealed if name not in known)


def _differing(found: FoundScan, known: Known) -> Iterator[tuple[str, str]]:
    for bag in found.bags:
        name = bag.scan.key, bag.generation.number
        if name in known and known[name][1] not in AS_SEALED:
            yield bag_prefix(*name), f"it is sealed, and the ledger has it as {known[name][1]}"


def _add(tx: Tx, done: Rebuilt, page: Sequence[FoundScan], show: int) -> None:
    scans = restore(tx, _compare(tx, done, page))
    for scan in scans[: show - done.shown]:
        _show(tx, scan)
        done.shown += 1


def _show(tx: Tx, scan: Scan) -> None:
    """Have Dagster show the scan as if it had been settled just now."""
    admission.activate(tx, scan.id)
    every = artifacts.of_generation(tx, scan.id, scan.generation)
    for asset in (ORDER, *dict.fromkeys(one.kind for one in every), BAG):
        shown = describe(tx, scan, asset)
        if shown is not None:
            report(tx, scan, scan.generation, asset, shown)


def _audited(record: FixityRecord) -> Audited:
    return Audited(record.scan, record.generation, record.audited_at, record.damage)
