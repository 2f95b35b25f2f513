"""Scans taken out of tables: all their rows go, nobody else's, and little is read for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from pyarrow import parquet

from export_pipeline.archive import dropping, tables
from export_pipeline.archive.dropping import SCAN_COLUMNS, Dropped, drop_scans
from export_pipeline.archive.tables import table_key, write_table
from export_pipeline.scans import ScanKey
from export_pipeline.storage import local
from export_pipeline.storage.local import LocalStore

FOLDER = "catalog/"
SCHEMA = pa.schema([*((name, pa.string()) for name in SCAN_COLUMNS), ("rest", pa.string())])
HOSTILE = ('a/../b%2f;:"<x>', "..", "=2e", "ünï cödé", "Essay", "essay", "a b", "x" * 5_000)


class Counting(LocalStore):
    """A store that counts the bytes that were read of it."""

    read = 0

    async def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        async for chunk in super().open(key, offset=offset):
            self.read += len(chunk)
            yield chunk


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


def key(scan: str, account: str = "default") -> ScanKey:
    return ScanKey("copyleaks", account, scan)


def write(store: LocalStore, day: int, keys: Sequence[ScanKey], rest_bytes: int = 0) -> None:
    """A table in order of its scans, as a catalog is."""
    random = Random(day)
    name = table_key(FOLDER, datetime(2026, 1, day, tzinfo=UTC), "a-run-id")
    rows = [
        {
            **dict(zip(SCAN_COLUMNS, astuple(one), strict=True)),
            "rest": random.randbytes(rest_bytes).hex(),
        }
        for one in sorted(keys, key=lambda one: [part.encode() for part in astuple(one)])
    ]

    async def batches() -> AsyncIterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist(rows, SCHEMA)

    asyncio.run(write_table(store, name, SCHEMA, batches()))


def scans(store: LocalStore, tmp_path: Path) -> list[list[str]]:
    async def listed() -> list[str]:
        return [found.key async for found in store.list(FOLDER)]

    keys = asyncio.run(listed())
    return [
        parquet.read_table(tmp_path / one, columns=["scan"])["scan"].to_pylist() for one in keys
    ]


def dropped(store: LocalStore, *keys: ScanKey) -> Dropped:
    return asyncio.run(drop_scans(store, [FOLDER], keys))


def drop(store: LocalStore, *keys: ScanKey) -> int:
    done = dropped(store, *keys)
    assert done.unreadable == []
    return done.tables


@pytest.mark.parametrize("rows", [1, 3, 5_000])
@pytest.mark.parametrize("scan", HOSTILE)
def test_every_row_of_a_scan_goes_and_nobody_elses(
    store: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scan: str, rows: int
) -> None:
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", rows)
    write(store, 1, [*map(key, HOSTILE), key(scan), key(scan, "second")])
    write(store, 2, [key(one) for one in HOSTILE if one != scan])
    assert drop(store, key(scan)) == 1
    others = sorted(one for one in HOSTILE if one != scan)
    first, second = scans(store, tmp_path)
    assert sorted(first) == sorted([*others, scan]), "that of the second account stays"
    assert sorted(second) == others
    assert drop(store, key(scan)) == 0


def test_of_a_table_without_the_scan_only_what_could_name_it_is_read(
    store: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 50)
    monkeypatch.setattr(dropping, "END_BYTES", 4_096)
    monkeypatch.setattr(local, "CHUNK_BYTES", 4_096)
    everybody = [key(f"essay-{number:04}") for number in range(0, 500, 2)]
    for day in range(1, 6):
        write(store, day, everybody, rest_bytes=2_000)
    before = scans(store, tmp_path)
    [size, *_] = [path.stat().st_size for path in (tmp_path / FOLDER).iterdir()]
    assert drop(store, key("essay-0123"), key("before"), key("z", "second")) == 0
    assert store.read < size, "five tables together cost less than one"
    assert scans(store, tmp_path) == before


def test_a_footer_that_is_longer_than_what_is_read_first_is_read_too(
    store: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 1)
    monkeypatch.setattr(dropping, "END_BYTES", 100)
    write(store, 1, [key(one) for one in HOSTILE])
    assert drop(store, key(HOSTILE[0])) == 1
    assert HOSTILE[0] not in scans(store, tmp_path)[0]


def foreign(value: object, *names: str) -> bytes:
    """A table that somebody put there, with the same in each column."""
    column = pa.array([value])
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table([column] * len(names), names), sink)
    return bytes(sink.getvalue())


BROKEN = {
    "empty": b"",
    "cut off": b"PAR",
    "text": b"no table at all",
    "without a footer": b"PAR1\xff\xff\xff\xffPAR1",
    "of other columns": foreign("essay", "scan"),
    "with a column twice": foreign("essay", *SCAN_COLUMNS, "scan"),
    "of numbers": foreign(1, *SCAN_COLUMNS),
    "of bytes": foreign(b"essay", *SCAN_COLUMNS),
    "of structs": foreign({"scan": "essay"}, *SCAN_COLUMNS),
    "of lists": foreign(["essay"], *SCAN_COLUMNS),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_table_that_cannot_be_read_is_named_and_keeps_no_other_from_its_turn(
    store: Counting, tmp_path: Path, broken: bytes
) -> None:
    write(store, 1, [key("essay"), key("other")])
    write(store, 3, [key("essay"), key("other")])
    name = table_key(FOLDER, datetime(2026, 1, 2, tzinfo=UTC), "broken")
    (tmp_path / name).write_bytes(broken)
    done = dropped(store, key("essay"))
    assert done.tables == 2
    assert len(done.unreadable) == 1
    assert done.unreadable[0].startswith(f"{name} cannot be read as a table of the archive")
    assert (tmp_path / name).read_bytes() == broken


def test_a_table_whose_names_are_encoded_by_a_dictionary_is_read_as_any_other(
    store: Counting, tmp_path: Path
) -> None:
    write(store, 1, [key(one) for one in HOSTILE])
    (file,) = (tmp_path / FOLDER).iterdir()
    names = parquet.read_table(file)
    encoded = {name: names[name].dictionary_encode() for name in SCAN_COLUMNS}
    file.unlink()
    parquet.write_table(pa.table(encoded), file)
    assert drop(store, key(HOSTILE[0])) == 1
    assert sorted(scans(store, tmp_path)[0]) == sorted(HOSTILE[1:])


@pytest.mark.parametrize("name", ["scan", "rest"])
def test_a_flipped_bit_of_a_table_is_told_and_nothing_is_written_from_it(
    store: Counting, tmp_path: Path, name: str
) -> None:
    write(store, 1, [key("essay"), *(key(f"other-{number}") for number in range(50))], 2_000)
    (file,) = (tmp_path / FOLDER).iterdir()
    column = parquet.ParquetFile(file).metadata.row_group(0).column(SCHEMA.names.index(name))
    data = bytearray(file.read_bytes())
    data[dropping._begin(column) + column.total_compressed_size // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    done = dropped(store, key("essay"))
    assert done.tables == 0
    assert "cannot be read as a table" in done.unreadable[0]
    assert list((tmp_path / FOLDER).iterdir()) == [file]
