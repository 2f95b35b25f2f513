import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from export_pipeline.archive.fixity_records import SCHEMA, FixityRecord, read_records, write_records
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.archive.bags import HOSTILE_ID

SCAN = ScanKey("copyleaks", "default", HOSTILE_ID)
FIRST = FixityRecord(SCAN, 1, 1_763_700_000.25, 6, 120_000, "")
SECOND = FixityRecord(SCAN, 1, 1_763_800_000.5, 5, 100_000, "it has no seal\nand more")


def test_records_are_read_back_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)

    async def scenario() -> list[FixityRecord]:
        for day, run, record in ((22, "0123456789", SECOND), (21, "fedcba9876", FIRST)):
            await write_records(store, datetime(2026, 11, day, tzinfo=UTC), run, [record])
        return [record async for record in read_records(store, pytest.fail)]

    assert asyncio.run(scenario()) == [FIRST, SECOND]


def test_a_table_is_plain_parquet_that_names_the_scan_as_the_vendor_does(tmp_path: Path) -> None:
    written = asyncio.run(
        write_records(
            LocalStore(tmp_path), datetime(2026, 11, 21, 5, 6, 7, tzinfo=UTC), "r", [FIRST]
        )
    )
    assert written.key == "fixity/2026-11-21t050607-r.parquet"
    (row,) = pq.read_table(tmp_path / written.key).to_pylist()
    assert (row["scan"], row["generation"], row["damage"]) == (HOSTILE_ID, 1, "")
    assert row["audited_at"] == datetime.fromtimestamp(FIRST.audited_at, UTC)


def foreign() -> bytes:
    """A table whose columns have the names of a record's, and not its types."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: ["2026-11-21"] for name in SCHEMA.names}), sink)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("broken", [b"", foreign()], ids=["empty", "of other types"])
def test_a_table_that_cannot_be_read_is_named_and_the_others_are_read(
    tmp_path: Path, broken: bytes
) -> None:
    store = LocalStore(tmp_path)
    unreadable: dict[str, str] = {}

    async def scenario() -> list[FixityRecord]:
        for day, record in ((20, FIRST), (22, SECOND)):
            await write_records(store, datetime(2026, 11, day, tzinfo=UTC), "run", [record])
        (tmp_path / "fixity/2026-11-21t000000-run.parquet").write_bytes(broken)
        return [record async for record in read_records(store, unreadable.__setitem__)]

    assert asyncio.run(scenario()) == [FIRST, SECOND]
    assert list(unreadable) == ["fixity/2026-11-21t000000-run.parquet"]
