"""What lies beside the bags and tells more than they do: who was forgotten, and what is lost."""

from collections.abc import AsyncIterator, Callable, Collection
from datetime import datetime

from export_pipeline.archive.catalog import newest
from export_pipeline.archive.tables import read_table
from export_pipeline.ledger import summary
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import Scan
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store

SCANS_PER_PAGE = 5_000
_BAG = "bag"


async def returned(ledger: Ledger, is_forgotten: Callable[[ScanKey], bool]) -> AsyncIterator[Scan]:
    """Scans that were forgotten and that the ledger has: it is a copy from before that."""
    after = 0
    while page := await ledger.look(summary.find_scans, after=after, limit=SCANS_PER_PAGE):
        for scan in page:
            if is_forgotten(scan.key):
                yield scan
        after = page[-1].id


async def lost_bags(
    store: Store, found: Collection[str], now: datetime
) -> AsyncIterator[tuple[str, str]]:
    """Bags that the newest catalog has and that are not among those found, each with a word on it.

    Raises:
        BadInput: the catalog cannot be read.
    """
    catalog = await newest(store, now)
    if catalog is None:
        return
    told = ""
    async for rows in read_table(store, catalog.key, [_BAG]):
        for bag in rows.column(_BAG).unique().to_pylist():
            if bag not in found and bag != told:
                yield bag, f"{catalog.key} has it"
                told = bag
