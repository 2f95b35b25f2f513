"""How a catalog is written; what is in it is told by `workflow/test_rebuild`."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from pyarrow import parquet

from export_pipeline.archive import catalog, tables
from export_pipeline.archive.catalog import (
    SCHEMA,
    Snapshot,
    newest,
    superfluous,
    thin,
    write_catalog,
)
from export_pipeline.archive.layout import CATALOG_FOLDER
from export_pipeline.archive.tables import table_key
from export_pipeline.errors import AlreadyExists
from export_pipeline.ledger import tombstones
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import GenerationState
from export_pipeline.ledger.schema import generations
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject, pieces
from export_pipeline_tests.ledger.test_restore import bring_back, lost

MOMENT = datetime(2026, 11, 21, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "archive")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = make_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    bring_back(ledger, *(lost(f"scan-{number:02}") for number in range(12)))
    yield ledger
    ledger.close()


def write(
    ledger: Ledger, store: LocalStore, moment: datetime = MOMENT, run_id: str = "0123456789"
) -> Snapshot:
    return asyncio.run(write_catalog(ledger, store, moment, run_id))


def read(tmp_path: Path, key: str) -> pa.Table:
    return parquet.read_table(tmp_path / "archive" / key)


def test_a_catalog_is_a_new_object_whose_name_tells_when_and_whose_it_is(
    tmp_path: Path, ledger: Ledger, store: LocalStore
) -> None:
    made = write(ledger, store)
    assert made.key == "catalog/2026-11-21t050607-01234567.parquet"
    assert made.size == (tmp_path / "archive" / made.key).stat().st_size
    assert made.rows == {("copyleaks", "archived"): 24}
    assert read(tmp_path, made.key).num_rows == 24


def test_a_catalog_is_never_overwritten(ledger: Ledger, store: LocalStore) -> None:
    write(ledger, store)
    with pytest.raises(AlreadyExists):
        write(ledger, store)


def test_the_newest_catalog_is_the_one_of_the_latest_moment(
    ledger: Ledger, store: LocalStore
) -> None:
    assert asyncio.run(newest(store, MOMENT)) is None
    last = write(ledger, store, MOMENT + timedelta(days=1), "00000000")
    write(ledger, store, MOMENT, "ffffffff")
    found = asyncio.run(newest(store, MOMENT + timedelta(days=1)))
    assert found is not None
    assert found.key == last.key


def test_a_catalog_of_the_future_and_a_strangers_table_are_not_the_newest(
    ledger: Ledger, store: LocalStore
) -> None:
    """The clock was wrong for a day; and somebody keeps a table of their own there."""
    right = write(ledger, store)
    write(ledger, store, MOMENT + timedelta(days=3_650), "00000000")
    asyncio.run(store.put("catalog/mine.parquet", pieces(b"x")))
    found = asyncio.run(newest(store, MOMENT))
    assert found is not None
    assert found.key == right.key


def test_it_is_written_in_row_groups_so_that_memory_stays_bounded(
    tmp_path: Path, ledger: Ledger, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read(tmp_path, write(ledger, store).key)
    monkeypatch.setattr(catalog, "ROWS_PER_BATCH", 5)
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 10)
    monkeypatch.setattr(catalog, "SCANS_PER_PAGE", 7)
    key = write(ledger, store, run_id="another").key
    assert read(tmp_path, key).equals(whole)
    file = parquet.ParquetFile(tmp_path / "archive" / key)
    groups = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
    assert groups == [10, 10, 4]
    assert file.schema_arrow.equals(SCHEMA)


def test_the_catalog_of_an_empty_archive_is_a_table_without_rows(
    tmp_path: Path, store: LocalStore
) -> None:
    empty = make_ledger(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    made = write(empty, store)
    empty.close()
    assert made.rows == {}
    assert read(tmp_path, made.key).schema.equals(SCHEMA)


def nightly(days: int) -> list[str]:
    """The names of a snapshot a night, the last at `MOMENT`."""
    nights = (MOMENT - timedelta(days=age) for age in reversed(range(days)))
    return [table_key(CATALOG_FOLDER, night, "0123456789") for night in nights]


def test_a_month_of_snapshots_is_kept_and_of_older_ones_the_last_of_each_month() -> None:
    every = nightly(400)
    gone = set(superfluous(reversed(every), MOMENT))
    kept = [key.removeprefix(CATALOG_FOLDER)[:10] for key in every if key not in gone]
    assert kept[-32:] == [key.removeprefix(CATALOG_FOLDER)[:10] for key in every[-32:]]
    assert kept[:-32] == [
        *("2025-10-31", "2025-11-30", "2025-12-31", "2026-01-31", "2026-02-28", "2026-03-31"),
        *("2026-04-30", "2026-05-31", "2026-06-30", "2026-07-31", "2026-08-31", "2026-09-30"),
        "2026-10-20",
    ]


def test_thinned_night_by_night_the_history_keeps_the_end_of_each_month() -> None:
    there: list[str] = []
    for age in reversed(range(400)):
        night = MOMENT - timedelta(days=age)
        there.append(table_key(CATALOG_FOLDER, night, "0123456789"))
        there = sorted(set(there) - set(superfluous(there, night)))
    assert there == sorted(set(nightly(400)) - set(superfluous(nightly(400), MOMENT)))


def test_of_one_month_what_was_written_anew_and_what_is_no_snapshot_stay() -> None:
    anew = "catalog/2026-01-02t050607-01234567-without-0001.parquet"
    before = "catalog/2026-01-01t050607-01234567.parquet"
    assert superfluous([anew, before, "catalog/notes.txt", "catalog/2026/x"], MOMENT) == [before]


def test_thinning_erases_from_the_store_what_is_superfluous(
    tmp_path: Path, ledger: Ledger, store: LocalStore
) -> None:
    for days in (0, 100, 101, 102):
        write(ledger, store, MOMENT - timedelta(days=days))
    assert asyncio.run(thin(store, MOMENT)) == 2
    left = sorted(path.name[:10] for path in (tmp_path / "archive" / "catalog").iterdir())
    assert left == ["2026-08-13", "2026-11-21"]


class Burying(LocalStore):
    """A store to which a catalog is written while somebody forgets a scan."""

    ledger: Ledger
    writes = 0

    async def put(self, key: str, *args: Any, **options: Any) -> StoredObject:
        if not self.writes:
            with self.ledger.write() as tx:
                tombstones.add(tx, ["0" * 64], "asked to", 0.0)
                tx.run(sa.update(generations).values(state=GenerationState.ABANDONED))
        self.writes += 1
        return await super().put(key, *args, **options)


def test_a_scan_that_is_forgotten_while_it_is_written_is_in_no_catalog(
    tmp_path: Path, ledger: Ledger
) -> None:
    store = Burying(tmp_path / "archive")
    store.ledger = ledger
    made = write(ledger, store)
    assert store.writes == 2
    assert read(tmp_path, made.key).num_rows == 0
    assert len(list((tmp_path / "archive" / "catalog").iterdir())) == 1
