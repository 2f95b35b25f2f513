"""What lies beside the bags comes back too: audits, holds and tombstones."""

import asyncio
import shutil
from datetime import UTC, datetime

import pyarrow as pa
import pytest
import sqlalchemy as sa
from pyarrow import parquet

from export_pipeline.archive.catalog import write_catalog
from export_pipeline.archive.fixity_records import FixityRecord, write_records
from export_pipeline.archive.holds import write_hold
from export_pipeline.archive.layout import SEAL_NAME, bag_prefix, scan_prefix
from export_pipeline.archive.tombstones import Tombstone, bury
from export_pipeline.errors import BadInput
from export_pipeline.ledger import holds, schema, tombstones
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.holds import Hold
from export_pipeline.ledger.rows import ScanState
from export_pipeline.scans import ScanKey
from export_pipeline.workflow.rebuilding.beside import lost_bags
from export_pipeline_tests.archive.catalogs import KEY, table
from export_pipeline_tests.workflow.rebuilding.homes import (
    HOSTILE,
    again,
    histories,
)
from export_pipeline_tests.workflow.stepped import Stepped

DATE = 1_800_000_000.0


def records(home: Stepped, moment: float, *found: tuple[ScanKey, int, str]) -> None:
    made = [FixityRecord(key, number, moment, 7, 70, damage) for key, number, damage in found]
    day = datetime.fromtimestamp(moment, UTC)
    asyncio.run(write_records(home.store, day, f"{moment:.0f}"[-8:], made))


def test_the_newest_audit_of_each_bag_is_known_again(home: Stepped, empty: Ledger) -> None:
    scan, other = home.archived(HOSTILE[0]), home.archived("other")
    later = DATE + 86_400.000_7
    records(home, DATE + 1, (scan.key, 1, "it changed"), (other.key, 1, ""))
    records(home, later, (scan.key, 1, ""), (ScanKey("copyleaks", "default", "gone"), 1, "gone"))
    assert again(home, empty).audits == 4
    found = {key: one.generations[0] for key, one in histories(empty).items()}
    assert (found[scan.key].audited_at, found[scan.key].damage) == (round(later, 3), "")
    assert found[other.key].audited_at == DATE + 1
    columns = table(empty).select(["scan", "verified_last", "damage"]).to_pylist()
    last = {row["scan"]: row["verified_last"].timestamp() for row in columns}
    assert last == {HOSTILE[0]: round(later, 3), "other": DATE + 1}


def test_an_audit_that_the_ledger_knows_better_stays(home: Stepped) -> None:
    scan = home.archived("essay")
    audited = sa.update(schema.generations).values(audited_at=DATE + 9.0004, damage="worse")
    home.write(lambda tx: tx.run(audited))
    records(home, DATE + 9.0004, (scan.key, 1, "older"))
    again(home, home.ledger)
    assert home.generation(scan).damage == "worse"


def test_holds_and_tombstones_come_back_and_what_is_there_stays(
    home: Stepped, empty: Ledger
) -> None:
    held = ScanKey("copyleaks", "default", HOSTILE[0])
    asyncio.run(write_hold(home.store, Hold(held, "a lawsuit", DATE)))
    asyncio.run(bury(home.store, Tombstone(tombstones.key_digest(KEY), "", DATE)))
    done = again(home, empty)
    assert (done.holds, done.tombstones, done.is_told) == (1, 1, True)
    again(home, empty)
    with empty.read() as tx:
        assert holds.find(tx, held) == Hold(held, "a lawsuit", DATE)
        assert tombstones.find(tx, tombstones.key_digest(KEY)) == ("", DATE)


def forgotten(home: Stepped, key: ScanKey) -> None:
    """Begin to forget a scan, and be killed before the store is cleared."""
    for digest in (tombstones.key_digest(KEY), tombstones.scan_digest(KEY, key)):
        asyncio.run(bury(home.store, Tombstone(digest, "asked to", DATE)))


def test_a_forgotten_scan_is_not_brought_back_from_what_is_left_of_it(
    home: Stepped, empty: Ledger
) -> None:
    left, kept = home.archived(HOSTILE[0]), home.archived("kept")
    forgotten(home, left.key)
    done = again(home, empty)
    assert done.needs_person
    assert [folder for folder, _ in done.forgotten.kept] == [
        "copyleaks/default/a=2f=2e=2e=2fb=252f=3b=3a=22=3cx=3e/"
    ]
    assert set(histories(empty)) == {kept.key}


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_ledger_from_before_a_scan_was_forgotten_does_not_bring_it_back(
    home: Stepped, dry_run: bool
) -> None:
    """The database was lost, its backup of last week put back, and brought up to date by this."""
    left, kept = home.archived(HOSTILE[0]), home.archived("kept")
    forgotten(home, left.key)
    shutil.rmtree(home.folder(left))
    done = again(home, home.ledger, dry_run=dry_run)
    assert done.needs_person
    assert done.forgotten.kept == [
        (scan_prefix(left.key), "it was forgotten, and the ledger has it")
    ]
    assert home.scan(kept).state == ScanState.ARCHIVED
    if not dry_run:
        assert home.scan(left).state == ScanState.FORGOTTEN
        assert set(table(home.ledger)["scan"].to_pylist()) == {"kept"}


def test_a_bag_of_a_forgotten_scan_that_a_backup_of_the_store_brought_back_stays_out(
    home: Stepped, empty: Ledger
) -> None:
    """With the bag, the backup put the store back to before the tombstone: the ledger has it."""
    left = home.archived(HOSTILE[0])
    buried = [tombstones.key_digest(KEY), tombstones.scan_digest(KEY, left.key)]
    with empty.write() as tx:
        tombstones.add(tx, buried, "asked to", DATE)
    done = again(home, empty)
    assert [folder for folder, _ in done.forgotten.kept] == [scan_prefix(left.key)]
    assert histories(empty) == {}


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_forgotten_scan_of_which_ledger_and_store_have_something_is_named_once(
    home: Stepped, dry_run: bool
) -> None:
    left = home.archived(HOSTILE[0])
    begun = home.folder(left).parent / "2"
    begun.mkdir()
    (begun / "bagit.txt").touch()
    forgotten(home, left.key)
    done = again(home, home.ledger, dry_run=dry_run)
    assert done.forgotten.kept == [
        (scan_prefix(left.key), "it was forgotten, and the ledger has it")
    ]
    assert done.differing.count + done.unsealed.count + done.unreadable.count == 0
    assert done.bags == 1


@pytest.mark.parametrize("name", [SEAL_NAME, "provenance.json"])
def test_what_is_left_of_a_forgotten_scan_is_only_to_be_forgotten_whatever_it_lacks(
    home: Stepped, empty: Ledger, name: str
) -> None:
    left = home.archived(HOSTILE[0])
    forgotten(home, left.key)
    (home.folder(left) / name).unlink()
    done = again(home, empty)
    assert [folder for folder, _ in done.forgotten.kept] == [scan_prefix(left.key)]
    assert done.differing.count + done.unsealed.count + done.unreadable.count == 0


def catalogued(home: Stepped, ledger: Ledger | None = None) -> str:
    """Write a catalog as the nightly run does."""
    moment = datetime.fromtimestamp(home.now, UTC)
    return asyncio.run(write_catalog(ledger or home.ledger, home.store, moment, "a-run-id")).key


@pytest.mark.parametrize("dry_run", [True, False])
def test_bags_that_a_catalog_has_and_the_store_has_not_are_named(
    home: Stepped, empty: Ledger, dry_run: bool
) -> None:
    """A region of the store is lost, and the ledger with it: nothing else knows those bags."""
    lost, broken, whole = (home.archived(name) for name in (HOSTILE[0], "broken", "whole"))
    home.now += 60
    catalog = catalogued(home)
    shutil.rmtree(home.folder(lost))
    (home.folder(broken) / SEAL_NAME).unlink()
    done = again(home, empty, dry_run=dry_run)
    assert done.needs_person
    assert sorted(done.lost.kept) == [
        (bag_prefix(scan.key, 1), f"{catalog} has it") for scan in (lost, broken)
    ]
    assert done.lost.count == 2
    assert set(histories(empty)) == (set() if dry_run else {whole.key})


def test_a_lost_bag_is_named_again_after_catalogs_were_written_without_it(
    home: Stepped, empty: Ledger
) -> None:
    lost = home.archived(HOSTILE[0])
    home.archived("whole")
    home.now += 60
    catalog = catalogued(home)
    shutil.rmtree(home.folder(lost))
    for _ in range(2):
        done = again(home, empty)
        assert done.lost.kept == [(bag_prefix(lost.key, 1), f"{catalog} has it")]
        assert done.needs_person
        home.now += 60
        catalogued(home, empty)


def test_a_lost_bag_that_several_catalogs_have_is_named_once_by_the_newest(
    home: Stepped, empty: Ledger
) -> None:
    lost = home.archived(HOSTILE[0])
    catalogued(home)
    home.now += 60
    newer = catalogued(home)
    shutil.rmtree(home.folder(lost))
    assert again(home, empty).lost.kept == [(bag_prefix(lost.key, 1), f"{newer} has it")]
    assert again(home, empty).lost.count == 1


def test_a_bag_that_is_sealed_while_the_store_is_listed_is_not_lost(home: Stepped) -> None:
    home.archived(HOSTILE[0])
    catalogued(home)

    async def lost() -> list[tuple[str, str]]:
        listed: set[str] = set()
        return [one async for one in lost_bags(home.store, listed, lambda _: False, pytest.fail)]

    assert asyncio.run(lost()) == []


@pytest.mark.parametrize("bag", ["no folder of a bag", 7])
def test_a_foreign_table_in_the_catalog_is_named_and_hides_no_lost_bag(
    home: Stepped, empty: Ledger, bag: str | int
) -> None:
    lost = home.archived(HOSTILE[0])
    catalog = catalogued(home)
    shutil.rmtree(home.folder(lost))
    foreign = "catalog/2099-01-01t000000-foreign.parquet"
    parquet.write_table(pa.table({"bag": [bag]}), home.home / "archive" / foreign)
    done = again(home, empty)
    assert [key for key, _ in done.unreadable.kept] == [foreign]
    assert done.lost.kept == [(bag_prefix(lost.key, 1), f"{catalog} has it")]


def test_no_bag_is_lost_where_all_that_a_catalog_has_is_there_or_was_forgotten(
    home: Stepped, empty: Ledger
) -> None:
    gone = home.archived(HOSTILE[0])
    home.archived("kept")
    home.now += 60
    catalogued(home)
    shutil.rmtree(home.folder(gone))
    forgotten(home, gone.key)
    done = again(home, empty)
    assert done.lost.count == 0
    assert not done.needs_person


@pytest.mark.parametrize("name", ["fixity", "catalog"])
def test_a_table_that_cannot_be_read_is_named_and_everything_else_comes_back(
    home: Stepped, empty: Ledger, name: str
) -> None:
    scan = home.archived("essay")
    records(home, DATE, (scan.key, 1, "it changed"))
    broken = home.home / "archive" / name / "2027-01-15t000000-broken.parquet"
    broken.parent.mkdir(exist_ok=True)
    broken.write_bytes(b"PAR1")
    done = again(home, empty)
    ((_, reason),) = done.unreadable.kept
    assert f"{name}/{broken.name} cannot be read" in reason
    assert histories(empty)[scan.key].generations[0].damage == "it changed"


@pytest.mark.parametrize("secret", [None, "another key"])
def test_without_the_key_of_the_tombstones_the_person_is_told(
    home: Stepped, empty: Ledger, secret: str | None
) -> None:
    forgotten(home, home.archived("left").key)
    done = again(home, empty, secret=secret)
    assert not done.is_told
    assert done.needs_person


def test_a_hold_that_cannot_be_read_stops_it_before_anything_is_added(
    home: Stepped, empty: Ledger
) -> None:
    home.archived("essay")
    folder = home.home / "archive" / "holds/copyleaks/default"
    folder.mkdir(parents=True)
    (folder / "essay.json").write_bytes(b"{")
    with pytest.raises(BadInput, match=r"essay\.json"):
        again(home, empty)
    assert histories(empty) == {}
