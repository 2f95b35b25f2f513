"""The ledger made anew from the store: lose the database, and lose nothing that was sealed."""

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from export_pipeline.archive import catalog
from export_pipeline.archive.fixity_records import FixityRecord, write_records
from export_pipeline.archive.holds import write_hold
from export_pipeline.archive.tombstones import Tombstone, bury
from export_pipeline.errors import BadInput, StoreUnavailable
from export_pipeline.ledger import holds, schema, summary, tombstones
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.holds import Hold
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import ArtifactState, QueueClass, ScanState
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline.workflow.history import History, read_history
from export_pipeline.workflow.link import find_sealed
from export_pipeline.workflow.order import Requested, request
from export_pipeline.workflow.rebuilding import rebuild as rebuilding
from export_pipeline.workflow.rebuilding.rebuilt import Rebuilt
from export_pipeline.workflow.renew import renew_sealed
from export_pipeline_tests.archive.bags import PREFIX, PROVENANCE, make_bag
from export_pipeline_tests.archive.catalogs import KEY, rebuilt, table
from export_pipeline_tests.workflow.stepped import SINGLES, Stepped
from export_pipeline_tests.workflow.test_renew import BROKEN, bring_broken

HOSTILE = ('a/../b%2f;:"<x>', "..", "=2e", "ünï cödé", "x.y.", "Essay", "essay", "a b", "'--")
DATE = 1_800_000_000.0


def again(home: Stepped, ledger: Ledger, **options: Any) -> Rebuilt:
    """Rebuild into a ledger from the home's store."""
    return rebuilt(ledger, home.store, **options)


@pytest.fixture
def empty(home: Stepped, tmp_path: Path) -> Iterator[Ledger]:
    """A new ledger, as `check --init` makes it once the old one is lost."""
    ledger = make_ledger(f"sqlite:///{tmp_path / 'new.sqlite'}", lambda _: home.now)
    yield ledger
    ledger.close()


def partial(home: Stepped, name: str, **known: Any) -> Any:
    """A scan of which one artifact never comes."""
    scan = home.ordered(name, **known)
    for _ in range(home.settings.attempts):
        order = home.newest(scan)
        home.upload(order, set(home.names(order)) - {BROKEN})
        home.complete(order, unhealthy={BROKEN})
        home.collect()
        home.send()
    assert home.scan(scan).state == ScanState.PARTIAL
    return home.scan(scan)


def renewed(home: Stepped, scan: Any) -> None:
    """Complete a partial scan in its second generation."""
    home.run(lambda pipeline: renew_sealed(pipeline, home.scan(scan), QueueClass.HAND))
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def archive_of_all_kinds(home: Stepped) -> None:
    """Hostile ids, two accounts, a partial bag, two generations, one that gave way unsealed."""
    for name in HOSTILE:
        home.archived(name, account="second" if name.startswith("=") else "default")
        home.now += 0.123456
    home.archived(HOSTILE[0], account="second", results=(), expires_at=home.now + 3600.5)
    partial(home, "partial")
    renewed(home, partial(home, "twice"))
    replaced = home.ordered("replaced")
    bring_broken(home, replaced)
    home.collect()
    home.send()
    home.deliver(home.newest(replaced))
    home.collect()
    assert home.scan(replaced).generation == 2
    home.archived("doubtful", enabled=None)


def histories(ledger: Ledger) -> dict[ScanKey, History]:
    with ledger.read() as tx:
        return {scan.key: read_history(tx, scan) for scan in summary.find_scans(tx)}


def in_milliseconds(row: Any) -> Any:
    """A row as the archive keeps it."""
    times = {name: value for name, value in vars(row).items() if name == "at" or name[-3:] == "_at"}
    exact = {name: value and round(value, 3) for name, value in times.items()}
    return replace(row, **exact)


def lasting(history: History) -> dict[str, Any]:
    """What a rebuilt ledger must know of a scan, without what only a scan under way needs."""
    sealed = [one for one in history.generations if one.state == "sealed"]
    numbers = {one.number for one in sealed}
    return {
        "scan": in_milliseconds(replace(history.scan, id=0, admitted_at=None)),
        "generations": [
            in_milliseconds(replace(one, scan_id=0, sealed_at=one.frozen_at)) for one in sealed
        ],
        "orders": [
            in_milliseconds(replace(one, scan_id=0, deadline=None, not_before=0.0))
            for one in history.orders
        ],
        "artifacts": [
            in_milliseconds(replace(one, scan_id=0))
            for one in history.artifacts
            if one.generation in numbers
        ],
        "events": [
            in_milliseconds(one)
            for one in history.events
            if one.event not in ("sealed", "brought back from the archive")
        ],
    }


def test_a_lost_ledger_is_made_anew_from_the_store_and_so_is_the_catalog(
    home: Stepped, empty: Ledger
) -> None:
    archive_of_all_kinds(home)
    before, rows = histories(home.ledger), table(home.ledger)
    done = again(home, empty)
    assert (done.bags, done.scans, done.added) == (15, 14, 15)
    assert not done.needs_person
    after = histories(empty)
    assert {key: lasting(one) for key, one in after.items()} == {
        key: lasting(one) for key, one in before.items()
    }
    assert table(empty).equals(rows)
    assert table(empty).num_rows == rows.num_rows > 14 * len(SINGLES)


def test_a_second_rebuild_finds_nothing_to_add_and_changes_nothing(
    home: Stepped, empty: Ledger
) -> None:
    archive_of_all_kinds(home)
    again(home, empty)
    before = histories(empty)
    done = again(home, empty)
    assert (done.scans, done.added, done.bags) == (0, 0, 15)
    assert histories(empty) == before


def test_the_ledger_that_was_never_lost_gains_nothing(home: Stepped) -> None:
    archive_of_all_kinds(home)
    home.register("waiting")
    home.ordered("under way")
    before = histories(home.ledger)
    assert again(home, home.ledger).added == 0
    assert histories(home.ledger) == before


def test_a_dry_run_tells_what_is_missing_and_writes_nothing(home: Stepped, empty: Ledger) -> None:
    home.archived("essay")
    done = again(home, empty, dry_run=True)
    assert (done.scans, done.added) == (1, 1)
    assert histories(empty) == {}


class FailingStore(LocalStore):
    """A store whose connection breaks at one object."""

    broken = ""

    def open(self, key: str, *, offset: int = 0) -> Any:
        if self.broken and key.startswith(self.broken):
            raise StoreUnavailable(f"{key}: the connection broke")
        return super().open(key, offset=offset)


def test_a_rebuild_that_was_interrupted_goes_on_when_it_is_started_again(
    home: Stepped, empty: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "ROWS_PER_PAGE", 2 * (len(SINGLES) + 3))
    for number in range(5):
        home.archived(f"essay-{number}")
    home.store = store = FailingStore(home.home / "archive")
    store.broken = "copyleaks/default/essay-3/"
    with pytest.raises(StoreUnavailable):
        again(home, empty)
    assert len(histories(empty)) == 2
    store.broken = ""
    assert again(home, empty).added == 3
    assert table(empty).equals(table(home.ledger))


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("provenance.json", None, "provenance.json is missing"),
        ("provenance.json", b"{}", "provenance.json is not what was sealed"),
        ("manifest-sha256.txt", None, "manifest-sha256.txt is missing"),
        ("manifest-sha256.txt", b"", "manifest-sha256.txt is not what was sealed"),
        ("tagmanifest-sha256.txt", b"\xff", "tagmanifest-sha256.txt: not UTF-8"),
        ("tagmanifest-sha256.txt", b"", "manifest-sha256.txt is not what was sealed"),
    ],
)
def test_a_bag_whose_tag_files_cannot_be_read_is_named_and_left_as_it_is(
    home: Stepped, empty: Ledger, name: str, data: bytes | None, why: str
) -> None:
    bad, good = home.archived(HOSTILE[0]), home.archived("good")
    file = home.folder(bad) / name
    file.chmod(0o644)
    file.unlink() if data is None else file.write_bytes(data)
    before = sorted(home.folder(bad).rglob("*"))
    done = again(home, empty)
    assert done.needs_person
    [(folder, reason)] = done.unreadable.kept
    assert folder == "copyleaks/default/a=2f=2e=2e=2fb=252f=3b=3a=22=3cx=3e/1/"
    assert reason.startswith(why)
    assert set(histories(empty)) == {good.key}
    assert sorted(home.folder(bad).rglob("*")) == before


@pytest.mark.parametrize(("provenance", "kind"), [(PROVENANCE, "KeyError"), (b"[", "JSONDecode")])
def test_a_provenance_that_was_sealed_and_that_nobody_here_wrote_is_named(
    home: Stepped, empty: Ledger, provenance: bytes, kind: str
) -> None:
    asyncio.run(make_bag(home.store, provenance=provenance))
    [(folder, reason)] = again(home, empty).unreadable.kept
    assert folder == PREFIX
    assert reason.startswith(f"provenance.json is not as this release writes it: {kind}")


def test_a_bag_whose_manifest_and_provenance_differ_is_named(home: Stepped, empty: Ledger) -> None:
    scan = home.archived("scan-1")
    provenance = (home.folder(scan) / "provenance.json").read_bytes()
    shutil.rmtree(home.folder(scan))
    asyncio.run(make_bag(home.store, provenance=provenance))
    [(folder, reason)] = again(home, empty).unreadable.kept
    assert folder == PREFIX
    assert reason == "its provenance and its manifest name other files"


def test_a_bag_in_the_folder_of_another_scan_is_named(home: Stepped, empty: Ledger) -> None:
    moved = home.folder(home.archived("essay"))
    moved.parent.rename(moved.parent.parent / "other")
    done = again(home, empty)
    [(folder, reason)] = done.unreadable.kept
    assert folder == "copyleaks/default/other/1/"
    assert reason == ("it is generation 1 of copyleaks/default/essay, and lies in another's folder")


def test_folders_that_this_release_did_not_write_are_named(home: Stepped, empty: Ledger) -> None:
    for folder in ("elsewhere/default/essay/1", "copyleaks/default/=ESSAY/1"):
        (home.home / "archive" / folder).mkdir(parents=True)
        (home.home / "archive" / folder / "file").write_bytes(b"x")
    done = again(home, empty)
    reasons = dict(done.unreadable.kept)
    assert reasons["elsewhere/default/essay/1/"] == "this release knows no vendor 'elsewhere'"
    assert "is not an escaped id" in reasons["copyleaks/default/=ESSAY/1/"]


def test_generations_without_a_seal_are_named_unless_the_ledger_knows_them(
    home: Stepped, empty: Ledger
) -> None:
    scan = home.ordered("under way")
    home.upload(home.newest(scan))
    assert again(home, empty).unsealed.kept == [
        ("copyleaks/default/under=20way/1/", "it has no seal")
    ]
    assert again(home, home.ledger).unsealed.count == 0
    assert histories(empty) == {}


def copied(home: Stepped, to: Path) -> Ledger:
    """A backup of the ledger as it is now."""
    home.ledger.close()
    to.write_bytes((home.home / "ledger.sqlite").read_bytes())
    return Ledger(f"sqlite:///{to}", lambda _: home.now)


def test_an_older_copy_of_the_ledger_learns_what_was_sealed_since(
    home: Stepped, tmp_path: Path
) -> None:
    scan = partial(home, "twice")
    backup = copied(home, tmp_path / "backup.sqlite")
    renewed(home, scan)
    home.archived("new")
    done = again(home, backup)
    assert (done.scans, done.added) == (2, 2)
    after, before = histories(backup), histories(home.ledger)
    assert after[scan.key].scan.generation == 2
    assert after[scan.key].scan.state == ScanState.ARCHIVED
    assert {key: lasting(one)["events"] for key, one in after.items()} == {
        key: lasting(one)["events"] for key, one in before.items()
    }
    assert table(backup).equals(table(home.ledger))
    backup.close()


def test_what_the_ledger_has_under_way_and_the_store_sealed_is_told_and_not_changed(
    home: Stepped, tmp_path: Path
) -> None:
    scan = home.ordered("essay")
    backup = copied(home, tmp_path / "backup.sqlite")
    home.deliver(home.newest(scan))
    home.collect()
    before = histories(backup)
    done = again(home, backup)
    assert done.needs_person
    assert done.differing.kept == [
        ("copyleaks/default/essay/1/", "it is sealed, and the ledger has it as open")
    ]
    assert histories(backup) == before
    backup.close()


def rehomed(home: Stepped, empty: Ledger) -> Stepped:
    """The same home on its new ledger."""
    again(home, empty)
    return Rehomed(home, empty)


class Rehomed(Stepped):
    """A home whose ledger was made anew."""

    def __init__(self, home: Stepped, ledger: Ledger) -> None:
        self.__dict__ |= vars(home)
        self.ledger = ledger
        self.vendor = self.make_vendor(self.settings, ledger)


def test_a_partial_scan_goes_on_in_a_new_generation_with_only_what_is_missing(
    home: Stepped, empty: Ledger
) -> None:
    known = partial(home, HOSTILE[0])
    new = rehomed(home, empty)
    [scan] = new.look(summary.find_scans)
    assert scan.details == known.details
    renewed(new, scan)
    assert new.asked(new.vendor.placed[-1]) == [BROKEN]
    assert new.stored(scan) >= new.recorded(scan)


def test_an_archived_scan_is_ordered_once_more_from_what_its_vendor_said(
    home: Stepped, empty: Ledger
) -> None:
    home.archived("essay", results=("r1", "r2"))
    new = rehomed(home, empty)
    [scan] = new.look(summary.find_scans)
    wanted = new.write(request, new.vendor, scan, queue_class=QueueClass.HAND, new_generation=True)
    assert wanted == Requested.QUEUED
    new.send()
    new.deliver(new.newest(scan))
    new.collect()
    assert new.scan(scan).state == ScanState.ARCHIVED
    assert {"2/results/r1.json", "2/results/r2.json"} <= new.stored(scan)


def test_the_files_of_a_rebuilt_scan_are_found(home: Stepped, empty: Ledger) -> None:
    known = home.archived("essay")
    new = rehomed(home, empty)
    [scan] = new.look(summary.find_scans)
    generation, files = new.look(find_sealed, scan)
    assert generation.number == known.generation
    assert [one.name for one in files] == sorted(home.artifacts(known))


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


def shown(ledger: Ledger) -> list[tuple[str, str]]:
    query = sa.select(schema.reports.c.asset, schema.reports.c.status).order_by("id")
    with ledger.read() as tx:
        return [tuple(row) for row in tx.all(query)]


def test_dagster_is_told_only_if_asked_and_of_no_more_scans_than_asked(
    home: Stepped, empty: Ledger
) -> None:
    partial(home, "a")
    home.archived("b")
    assert again(home, empty, show=1).shown == 1
    told = dict(shown(empty))
    assert told == {
        "order": "closed",
        **dict.fromkeys((*SINGLES, "results"), "verified"),
        "overview": "failed",
        "bag": "partial",
    }


def test_dagster_is_told_nothing_by_itself(home: Stepped, empty: Ledger) -> None:
    home.archived("a")
    assert again(home, empty).shown == 0
    assert shown(empty) == []


def test_what_is_absent_is_no_row_and_what_is_missing_is_one_with_its_reason(
    home: Stepped,
) -> None:
    scan = partial(
        home, "partial", enabled=dict.fromkeys((*SINGLES,), True) | {"pdf_report": False}
    )
    rows = {row["name"]: row for row in table(home.ledger).to_pylist()}
    states = {name: one.state for name, one in home.artifacts(scan).items()}
    assert states["pdf_report.pdf"] == ArtifactState.ABSENT
    assert "pdf_report.pdf" not in rows
    gone, kept = rows[BROKEN], rows["ai_detection.json"]
    assert (gone["missing"], kept["missing"]) == (True, False)
    assert gone["status"] == kept["status"] == "partial"
    assert gone["reason"] == home.artifacts(scan)[BROKEN].reason
    for name in ("size", "sha256", "key", "content_type", "verified_last"):
        assert gone[name] is None
        assert kept[name] is not None
    assert gone["order_id"] == home.orders(scan)[-1].id


def order_of(rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("vendor", "account", "scan", "generation", "name")
    return [tuple(str(row[name]).encode() for name in names) for row in rows]


def test_rows_are_in_order_of_their_bytes_page_after_page(
    home: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive_of_all_kinds(home)
    whole = table(home.ledger)
    monkeypatch.setattr(catalog, "SCANS_PER_PAGE", 2)
    monkeypatch.setattr(catalog, "ROWS_PER_GROUP", 5)
    rows = table(home.ledger)
    assert rows.equals(whole)
    places = order_of(rows.to_pylist())
    assert places == sorted(places)
    assert len(set(places)) == len(places)
