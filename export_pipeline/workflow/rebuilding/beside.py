"""What lies beside the bags and tells more than they do: who was forgotten, and what is lost."""

from collections.abc import AsyncIterator, Callable, Collection

import pyarrow as pa

from export_pipeline.archive.catalog import SCHEMA, snapshots
from export_pipeline.archive.layout import read_prefix, seal_key
from export_pipeline.archive.tables import read_table
from export_pipeline.errors import BadInput, NotFound
from export_pipeline.ledger import summary
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import Scan
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store

SCANS_PER_PAGE = 5_000
_BAG = pa.schema([SCHEMA.field("bag")])


async def returned(ledger: Ledger, is_forgotten: Callable[[ScanKey], bool]) -> AsyncIterator[Scan]:
    """Scans that were forgotten and that the ledger has: it is a copy from before that."""
    after = 0
    while page := await ledger.look(summary.find_scans, after=after, limit=SCANS_PER_PAGE):
        for scan in page:
            if is_forgotten(scan.key):
                yield scan
        after = page[-1].id


async def lost_bags(
    store: Store,
    found: Collection[str],
    is_forgotten: Callable[[ScanKey], bool],
    unreadable: Callable[[str, str], None],
) -> AsyncIterator[tuple[str, str]]:
    """Bags that a catalog has and that are not among those found, each once with a word on it.

    Every catalog that is kept is read: a newer one may have been written from a ledger that was
    made anew without these bags.

    Args:
        store: has the catalogs.
        found: folders of the bags that a listing found sealed; a later one is looked for.
        is_forgotten: of whose scans no bag is missed.
        unreadable: called with the key of a catalog that cannot be read, and why.
    """
    told: set[str] = set()
    for catalog in await snapshots(store):
        try:
            async for bag in _bags(store, catalog.key):
                if bag in found or bag in told or is_forgotten(read_prefix(bag)[0]):
                    continue
                if await store.stat(seal_key(bag)) is None:
                    told.add(bag)
                    yield bag, f"{catalog.key} has it"
        except NotFound:  # a history that was thinned meanwhile
            continue
        except BadInput as error:
            unreadable(catalog.key, str(error))


async def _bags(store: Store, key: str) -> AsyncIterator[str]:
    """Bags that a catalog has, one perhaps twice."""
    async for rows in read_table(store, key, _BAG):
        for bag in rows.column(0).unique().to_pylist():
            yield bag
