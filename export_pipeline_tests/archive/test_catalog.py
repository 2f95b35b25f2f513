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

from export_pipeline.archive import catalog
from export_pipeline.archive.catalog import SCHEMA, Snapshot, newest, write_catalog
from export_pipeline.errors import AlreadyExists
from export_pipeline.ledger import tombstones
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import GenerationState
from export_pipeline.ledger.schema import generations
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
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
    assert asyncio.run(newest(store)) is None
    last = write(ledger, store, MOMENT + timedelta(days=1), "00000000")
    write(ledger, store, MOMENT, "ffffffff")
    found = asyncio.run(newest(store))
    assert found is not None
    assert found.key == last.key


def test_it_is_written_in_row_groups_so_that_memory_stays_bounded(
    tmp_path: Path, ledger: Ledger, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read(tmp_path, write(ledger, store).key)
    monkeypatch.setattr(catalog, "ROWS_PER_GROUP", 10)
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
