import asyncio
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from export_pipeline.archive import catalog
from export_pipeline.archive.bag import Bag
from export_pipeline.archive.catalog import SCHEMA, batches, rebuild
from export_pipeline.archive.layout import bag_prefix
from export_pipeline.archive.tables import write_table
from export_pipeline.errors import AlreadyExists, BadInput
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.archive.bags import HOSTILE_ID, INFO, PAYLOAD, deliver, make_bag


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


async def bag_of(
    store: LocalStore, scan: str, payload: Mapping[str, bytes] = PAYLOAD, **info: str
) -> Bag:
    labels = {label.replace("_", "-"): value for label, value in info.items()}
    return await make_bag(
        store, bag_prefix(ScanKey("copyleaks", "acc", scan), 1), payload, {**INFO, **labels}
    )


def rows_of(store: LocalStore) -> list[dict[str, Any]]:
    return list(asyncio.run(rebuild(store)).to_pylist())


def test_each_artifact_of_a_sealed_bag_is_a_row_with_the_vendors_own_id(store: LocalStore) -> None:
    asyncio.run(bag_of(store, HOSTILE_ID))
    report, result = rows_of(store)
    assert report == {
        "vendor": "copyleaks",
        "account": "acc",
        "scan": HOSTILE_ID,
        "generation": 1,
        "status": "archived",
        "sealed_at": datetime(2026, 11, 21, tzinfo=UTC),
        "kind": "pdf_report",
        "name": "pdf_report.pdf",
        "missing": False,
        "reason": None,
        "size": len(PAYLOAD["pdf_report.pdf"]),
        "sha256": hashlib.sha256(PAYLOAD["pdf_report.pdf"]).hexdigest(),
        "key": bag_prefix(ScanKey("copyleaks", "acc", HOSTILE_ID), 1) + "data/pdf_report.pdf",
    }
    assert result["kind"] == "results"


def test_what_a_partial_bag_lacks_is_a_row_with_its_reason(store: LocalStore) -> None:
    asyncio.run(bag_of(store, "none", {}, Export_Missing="ai_detection.json: refused: no"))
    (row,) = rows_of(store)
    assert (row["status"], row["missing"], row["name"]) == ("partial", True, "ai_detection.json")
    assert (row["kind"], row["reason"], row["size"]) == ("ai_detection", "refused: no", None)


def test_unsealed_bags_and_other_objects_are_not_in_the_catalog(store: LocalStore) -> None:
    asyncio.run(deliver(store, bag_prefix(ScanKey("copyleaks", "acc", "open"), 1), PAYLOAD))
    assert rows_of(store) == []
    asyncio.run(write_table(store, "catalog/1.parquet", SCHEMA, batches(store)))
    assert rows_of(store) == []


def test_a_moment_with_offset_is_kept_as_the_time_of_sealing(store: LocalStore) -> None:
    asyncio.run(bag_of(store, "a", Bagging_Date="2026-11-21T23:30:00-02:00"))
    assert rows_of(store)[0]["sealed_at"] == datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


def test_a_bag_whose_date_is_none_is_an_error_that_names_it(store: LocalStore) -> None:
    asyncio.run(bag_of(store, "a", Bagging_Date="yesterday"))
    with pytest.raises(BadInput, match=r"copyleaks/acc/a/1/.*yesterday"):
        rows_of(store)


def read_table(root: Path, key: str) -> pa.Table:
    return parquet.read_table(root / key)


def test_a_written_catalog_is_read_back_and_never_overwritten(
    tmp_path: Path, store: LocalStore
) -> None:
    async def scenario() -> None:
        for number in range(3):
            await bag_of(store, f"scan-{number}")
        table = await rebuild(store)
        stored = await write_table(store, "catalog/1.parquet", SCHEMA, batches(store))
        assert stored.size > 0
        assert read_table(tmp_path, "catalog/1.parquet").equals(table)
        with pytest.raises(AlreadyExists):
            await write_table(store, "catalog/1.parquet", SCHEMA, batches(store))

    asyncio.run(scenario())


def test_a_large_catalog_is_streamed_in_row_groups_and_equals_the_table(
    tmp_path: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "ROWS_PER_GROUP", 10)

    async def scenario() -> None:
        for number in range(12):
            await bag_of(store, f"scan-{number:02}")
        await write_table(store, "catalog/1.parquet", SCHEMA, batches(store))
        assert read_table(tmp_path, "catalog/1.parquet").equals(await rebuild(store))

    asyncio.run(scenario())
    file = parquet.ParquetFile(tmp_path / "catalog/1.parquet")
    groups = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
    assert groups == [10, 10, 4]
    assert file.schema_arrow.equals(SCHEMA)
