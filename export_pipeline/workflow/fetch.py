"""Which bags people mean to fetch: found in the ledger, or without one in the store itself."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from export_pipeline.archive.bag import BagListing, bags
from export_pipeline.archive.fetch import WantedBag
from export_pipeline.archive.layout import bag_prefix, scan_prefix
from export_pipeline.errors import BadInput
from export_pipeline.ledger import audits, summary
from export_pipeline.ledger.audits import SealedBag
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import GenerationState, Scan
from export_pipeline.scans import DEFAULT_ACCOUNT, ScanKey, escape
from export_pipeline.storage.store import Store
from export_pipeline.workflow.history import find_named

BAGS_PER_PAGE = 1_000


@dataclass(frozen=True)
class Wanted:
    """What to look among.

    Args:
        ledger: None where it is lost: then what the store lists tells the same.
        store: the archive.
        vendor: whose scans; None for all.
        account: likewise; without a ledger, None is the default account where a scan is named.
        generation: which one; None for the newest that is sealed.
    """

    ledger: Ledger | None
    store: Store
    vendor: str | None = None
    account: str | None = None
    generation: int | None = None

    async def find(self, name: str) -> WantedBag:
        """The bag of one scan.

        Raises:
            BadInput, UnknownScan: there is none; says how the scan stands.
        """
        if self.ledger is not None:
            scan = await self.ledger.look(find_named, name, self.account, self.vendor)
            return await self.ledger.look(_sealed, scan, self.generation)
        if self.vendor is None:
            raise BadInput(f"{name}: without a ledger say whose it is: --vendor NAME")
        key = ScanKey(self.vendor, self.account or DEFAULT_ACCOUNT, name)
        async for found in _newest(bags(self.store, scan_prefix(key)), self.generation):
            return found
        raise BadInput(f"{key}: {_what(self.generation)} of it is sealed in {self.store.url}")

    async def every(self) -> AsyncIterator[WantedBag]:
        """The newest sealed bag of each scan."""
        if self.ledger is not None:
            async for known in self._pages(self.ledger):
                yield WantedBag(bag_prefix(known.key, known.number), known.bytes, known.seal_sha256)
            return
        folder = f"{escape(self.vendor)}/" if self.vendor else ""
        async for found in _newest(bags(self.store, folder)):
            if self.account is None or found.prefix.split("/")[1] == escape(self.account):
                yield found

    async def _pages(self, ledger: Ledger) -> AsyncIterator[SealedBag]:
        after = (0, 0)
        while page := await ledger.look(
            audits.page,
            newest=True,
            vendor=self.vendor,
            account=self.account,
            after=after,
            limit=BAGS_PER_PAGE,
        ):
            for found in page:
                yield found
            after = (page[-1].scan_id, page[-1].number)


def _sealed(tx: Tx, scan: Scan, number: int | None) -> WantedBag:
    found = [
        one
        for one in summary.generations_of(tx, scan.id)
        if one.state == GenerationState.SEALED and number in (None, one.number)
    ]
    if not found:
        why = f" ({scan.reason})" if scan.reason else ""
        stands = f"it is {scan.state.value}{why}"
        raise BadInput(f"{scan.key}: {_what(number)} of it is sealed, {stands}")
    newest = found[-1]
    return WantedBag(bag_prefix(scan.key, newest.number), newest.bytes, newest.seal_sha256)


async def _newest(
    listed: AsyncIterator[BagListing], number: int | None = None
) -> AsyncIterator[WantedBag]:
    """Of each scan the sealed bag of the highest generation, or of `number`."""
    newest: BagListing | None = None
    async for bag in listed:
        scan, generation = _split(bag)
        if newest and scan != _split(newest)[0]:
            yield WantedBag(newest.prefix, sum(newest.sizes.values()))
            newest = None
        wanted = bag.sealed and number in (None, generation)
        if wanted and (newest is None or generation > _split(newest)[1]):
            newest = bag
    if newest:
        yield WantedBag(newest.prefix, sum(newest.sizes.values()))


def _split(bag: BagListing) -> tuple[str, int]:
    scan, generation, _ = bag.prefix.rsplit("/", 2)
    return scan, int(generation)


def _what(number: int | None) -> str:
    return "nothing" if number is None else f"no generation {number}"
