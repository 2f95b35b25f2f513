"""Over every store that lists: lose the database, and lose nothing that was archived.

A store's tests subclass `RebuildConformance` and give the fixture `store`, empty.
"""

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from export_pipeline.archive.catalog import SCHEMA, newest, write_catalog
from export_pipeline.archive.fixity_records import FixityRecord, write_records
from export_pipeline.archive.holds import write_hold
from export_pipeline.archive.tables import read_table
from export_pipeline.archive.tombstones import Tombstone, bury
from export_pipeline.ledger import holds, tombstones
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.holds import Hold
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.restore import Audited, note_audits
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store
from export_pipeline_tests.archive.catalogs import KEY, rebuilt, table
from export_pipeline_tests.workflow.rebuilding.homes import HOSTILE, partial, renewed
from export_pipeline_tests.workflow.stepped import stepped

AT = 1_800_086_400.0
FORGOTTEN, AUDITED = "a-b", "a"
NAMES = (AUDITED, FORGOTTEN, "a.b", "b", *HOSTILE[:4])


class RebuildConformance:
    """What brings ledger and catalog back lies in the store alone, whatever its listing's order."""

    def test_a_lost_ledger_and_its_catalog_are_made_anew(
        self, tmp_path: Path, store: Store
    ) -> None:
        with stepped(tmp_path / "home") as home:
            home.store = store  # type: ignore[assignment]
            keys = {name: home.archived(name, results=("r1",)).key for name in NAMES}
            renewed(home, partial(home, "twice"))
            audited = Audited(keys[AUDITED], 1, AT, "it changed")
            home.write(note_audits, [audited])
            before = table(home.ledger)
            asyncio.run(_keep_beside(store, keys[HOSTILE[0]], audited, keys[FORGOTTEN]))
            with closing(make_ledger(f"sqlite:///{tmp_path / 'new.sqlite'}")) as new:
                done = rebuilt(new, store)
                assert (done.bags, done.added) == (len(NAMES) + 2, len(NAMES) + 1)
                assert (done.holds, done.tombstones, done.audits) == (1, 2, 1)
                assert [folder for folder, _ in done.forgotten.kept] == ["copyleaks/default/a-b/"]
                assert done.unsealed.count + done.unreadable.count + done.differing.count == 0
                after = table(new)
                assert after.equals(before.filter(pc.not_equal(before["scan"], FORGOTTEN)))
                assert asyncio.run(_written(new, store)).equals(after)
                with new.read() as tx:
                    assert holds.find(tx, keys[HOSTILE[0]]) is not None


async def _keep_beside(store: Store, held: ScanKey, audited: Audited, forgotten: ScanKey) -> None:
    """A hold, the record of an audit, and the tombstone of a scan whose bag is still there."""
    await write_hold(store, Hold(held, "a lawsuit", AT))
    record = FixityRecord(audited.scan, 1, audited.at, 6, 60, audited.damage)
    await write_records(store, datetime.fromtimestamp(AT, UTC), "a-run-id", [record])
    for digest in (tombstones.key_digest(KEY), tombstones.scan_digest(KEY, forgotten)):
        await bury(store, Tombstone(digest, "asked to", AT))


async def _written(ledger: Ledger, store: Store) -> pa.Table:
    """The catalog as anybody finds it in the store."""
    await write_catalog(ledger, store, datetime.fromtimestamp(AT, UTC), "a-run-id")
    found = await newest(store, datetime.fromtimestamp(AT, UTC))
    assert found is not None
    read = read_table(store, found.key, SCHEMA)
    return pa.Table.from_batches([rows async for rows in read], SCHEMA)
