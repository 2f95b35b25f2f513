"""Scans as the store has them: what their bags tell, what is not sealed, what cannot be read."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace

from export_pipeline.archive.bag import BagListing, bags
from export_pipeline.archive.layout import bag_prefix, read_prefix
from export_pipeline.archive.sealed import read_sealed
from export_pipeline.concurrency import concurrently
from export_pipeline.errors import BadInput
from export_pipeline.ledger.restore import LackedScan
from export_pipeline.ledger.rows import ArtifactState, Order, Scan
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store
from export_pipeline.workflow import describe
from export_pipeline.workflow.provenance import Contents, read_provenance

SCANS_AT_ONCE = 16
"""Scans whose tag files are read at one time."""
_SCAN_PARTS = 3

Named = tuple[ScanKey, int]
"""A bag: its scan and generation."""


@dataclass(frozen=True)
class FoundScan:
    """One scan's folder in the store.

    Args:
        key: whose it is; None if no folder's name tells.
        bags: what its sealed generations tell, oldest first.
        unsealed: its generations without a seal.
        unreadable: folder -> why its bag cannot be read.
        sealed: folders that have a seal, readable or not.
    """

    key: ScanKey | None
    bags: Sequence[Contents]
    unsealed: Sequence[Named]
    unreadable: Sequence[tuple[str, str]]
    sealed: Sequence[str]

    @property
    def generations(self) -> Sequence[Named]:
        """Its generations, as far as they can be told."""
        sealed = [(one.scan.key, one.generation.number) for one in self.bags]
        return [*sealed, *self.unsealed]

    @property
    def artifacts(self) -> int:
        """How many its bags tell of."""
        return sum(len(one.artifacts) for one in self.bags)

    def lacking(self, known: Collection[Named]) -> LackedScan | None:
        """What a ledger lacks that knows these generations; None if nothing."""
        lacking = [one for one in self.bags if (one.scan.key, one.generation.number) not in known]
        if not lacking:
            return None
        newest = self.bags[-1]
        orders: dict[str, Order] = {one.id: one for bag in self.bags for one in bag.orders}
        return LackedScan(
            scan=_settled(newest),
            generations=[one.generation for one in lacking],
            artifacts=[artifact for one in lacking for artifact in one.artifacts],
            orders=list(orders.values()),
            events=newest.events,
        )


def _settled(newest: Contents) -> Scan:
    sealed_at = newest.generation.sealed_at or 0.0
    shown = describe.bag(newest.scan, newest.generation, newest.artifacts, sealed_at=sealed_at)
    return replace(newest.scan, reason=shown[1]["reason"])


async def find_scans(store: Store, vendors: Collection[str]) -> AsyncIterator[FoundScan]:
    """Every scan of the store, in order of key; those of other vendors count as unreadable.

    Raises:
        StoreError: the store failed.
    """

    async def find(folder: Sequence[BagListing]) -> FoundScan:
        return await _find(store, vendors, folder)

    async for found in concurrently(find, _folders(store), SCANS_AT_ONCE):
        yield found


async def _folders(store: Store) -> AsyncIterator[list[BagListing]]:
    """The generations of each scan, which lie together in every store's listing."""
    folder: list[BagListing] = []
    async for listing in bags(store):
        if folder and _scan_folder(folder[0]) != _scan_folder(listing):
            yield folder
            folder = []
        folder.append(listing)
    if folder:
        yield folder


def _scan_folder(listing: BagListing) -> str:
    return "/".join(listing.prefix.split("/")[:_SCAN_PARTS])


async def _find(store: Store, vendors: Collection[str], folder: Sequence[BagListing]) -> FoundScan:
    key, found, unsealed, unreadable = None, [], [], []
    for listing in folder:
        try:
            name = read_prefix(listing.prefix)
            key = name[0]
            _require_known(key, vendors)
            if listing.sealed:
                found.append(await _read(store, listing.prefix))
            else:
                unsealed.append(name)
        except BadInput as error:
            unreadable.append((listing.prefix, str(error)))
    found.sort(key=lambda one: one.generation.number)
    sealed = [one.prefix for one in folder if one.sealed]
    return FoundScan(key, found, unsealed, unreadable, sealed)


def _require_known(key: ScanKey, vendors: Collection[str]) -> None:
    if key.vendor not in vendors:
        raise BadInput(f"this release knows no vendor {key.vendor!r}")


async def _read(store: Store, prefix: str) -> Contents:
    tags = await read_sealed(store, prefix)
    contents = read_provenance(tags.provenance, seal_sha256=tags.seal_sha256)
    key, number = contents.scan.key, contents.generation.number
    if bag_prefix(key, number) != prefix:
        raise BadInput(f"it is generation {number} of {key}, and lies in another's folder")
    kept = {one.name: one.sha256 for one in contents.of(ArtifactState.VERIFIED)}
    if kept != tags.payload:
        raise BadInput("its provenance and its manifest name other files")
    return contents
