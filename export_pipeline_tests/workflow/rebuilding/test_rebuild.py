"""The ledger made anew from the store: lose the database, and lose nothing that was sealed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export_pipeline.errors import StoreUnavailable
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import ScanState
from export_pipeline.storage.local import LocalStore
from export_pipeline.workflow.history import History
from export_pipeline.workflow.rebuilding import rebuild as rebuilding
from export_pipeline_tests.archive.catalogs import table
from export_pipeline_tests.workflow.rebuilding.homes import (
    again,
    archive_of_all_kinds,
    histories,
    partial,
    renewed,
)
from export_pipeline_tests.workflow.stepped import SINGLES, Stepped


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
