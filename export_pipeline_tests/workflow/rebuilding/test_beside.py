"""What lies beside the bags comes back too: audits, holds and tombstones."""

import asyncio
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from export_pipeline.archive.fixity_records import FixityRecord, write_records
from export_pipeline.archive.holds import write_hold
from export_pipeline.archive.tombstones import Tombstone, bury
from export_pipeline.errors import BadInput
from export_pipeline.ledger import holds, schema, tombstones
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.holds import Hold
from export_pipeline.scans import ScanKey
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
