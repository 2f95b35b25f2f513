"""Scans taken out of the archive's tables, of which only those are read whole that have them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import parquet

from export_pipeline.archive.tables import (
    ROWS_PER_GROUP,
    SUFFIX,
    fetch,
    legible,
    opened_table,
    write_table,
)
from export_pipeline.errors import AlreadyExists, BadInput, NotFound
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import CHUNK_BYTES, Store, StoredObject

SCAN_COLUMNS = ("vendor", "account", "scan")
"""What tells in every table whose row it is; named as the parts of a `ScanKey`."""
_NAMES = pa.schema([(name, pa.string()) for name in SCAN_COLUMNS])
END_BYTES = CHUNK_BYTES
"""Of a table that are read first: the footer of two million rows, or a small table as a whole."""
_MARK_BYTES = 8
"""At the very end: the footer's length, four bytes, little-endian, and `PAR1`."""
_WITHOUT = "-without-"
"""Before the number of times that rows were dropped from a table."""
_SEPARATOR = "\0"
"""Between the names of a scan where they are compared: in none of them."""
_UNREADABLE = (
    "it may name the scan: put it back from a copy of the store, or delete it if it is not of the"
    " archive, and forget the scan again"
)


@dataclass
class Dropped:
    """What became of the tables.

    Args:
        tables: how many were written anew.
        unreadable: which cannot be read, so that nobody knows whether they name one of the scans,
            a sentence each.
    """

    tables: int = 0
    unreadable: list[str] = field(default_factory=list)


async def drop_scans(store: Store, folders: Sequence[str], keys: Collection[ScanKey]) -> Dropped:
    """Write every table below the folders that has rows of these scans anew without them.

    The new table takes the old one's place in the order, and every version of that is erased.
    Interrupted, it is finished by the same call again.
    """
    done = Dropped()
    for folder in folders:
        tables = [found async for found in store.list(folder) if found.key.endswith(SUFFIX)]
        for found in tables:
            try:
                done.tables += await _drop_from(store, found, keys)
            except BadInput as error:
                done.unreadable.append(f"{error}; {_UNREADABLE}")
    return done


async def _drop_from(store: Store, found: StoredObject, keys: Collection[ScanKey]) -> bool:
    try:
        if not await _has_any(store, found, keys):
            return False
        await _drop(store, found.key, _joined(keys))
    except NotFound:  # a history that was thinned meanwhile
        return False
    return True


def _joined(keys: Collection[ScanKey]) -> pa.StringArray:
    return pa.array([_SEPARATOR.join(astuple(key)) for key in keys], pa.string())


async def _has_any(store: Store, found: StoredObject, keys: Collection[ScanKey]) -> bool:
    """Whether the table has rows of the scans, by its end and by what lies where they would."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        await _read_end(store, found, file)
        with legible(found.key), opened_table(file, _NAMES) as reader:
            for index, begin, end in list(_places(reader.metadata, keys)):
                await _read(store, found.key, file, begin, end)
                rows = await asyncio.to_thread(reader.read_row_group, index, SCAN_COLUMNS)
                if pc.any(_is_gone(rows, _joined(keys))).as_py():
                    return True
    return False


async def _read_end(store: Store, found: StoredObject, file: Path) -> None:
    """Copy the table's end with its whole footer into a file of its size, else empty.

    Raises:
        BadInput: it is too short to have one.
    """
    with file.open("wb") as opened:
        opened.truncate(found.size)
    begin = max(0, found.size - END_BYTES)
    await _read(store, found.key, file, begin, found.size)
    with legible(found.key), file.open("rb") as opened:
        if found.size < _MARK_BYTES:
            raise pa.ArrowInvalid(f"it has {found.size} bytes")
        opened.seek(found.size - _MARK_BYTES)
        footer = int.from_bytes(opened.read(4), "little") + _MARK_BYTES
        if footer > found.size:
            raise pa.ArrowInvalid("it has no footer")
    if footer > END_BYTES:
        await _read(store, found.key, file, found.size - footer, begin)


async def _read(store: Store, key: str, file: Path, begin: int, end: int) -> None:
    """Copy some bytes of an object to their place in a file."""
    left = end - begin
    opened = cast("AsyncGenerator[bytes, None]", store.open(key, offset=begin))
    with file.open("r+b") as target:
        target.seek(begin)
        async with aclosing(opened) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(target.write, chunk[:left])
                left -= len(chunk)
                if left <= 0:
                    return


def _places(
    metadata: parquet.FileMetaData, keys: Collection[ScanKey]
) -> Iterator[tuple[int, int, int]]:
    """Row groups that may have the scans, each with where the columns begin and end that tell."""
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        every = (group.column(number) for number in range(group.num_columns))
        columns = [one for one in every if one.path_in_schema in SCAN_COLUMNS]
        if any(all(_may_have(one, key) for one in columns) for key in keys):
            begins = [_begin(one) for one in columns]
            ends = [_begin(one) + one.total_compressed_size for one in columns]
            yield index, min(begins), max(ends)


def _may_have(column: parquet.ColumnChunkMetaData, key: ScanKey) -> bool:
    told = column.statistics
    if told is None or not told.has_min_max:
        return True
    return bool(told.min <= getattr(key, column.path_in_schema) <= told.max)


def _begin(column: parquet.ColumnChunkMetaData) -> int:
    first = column.dictionary_page_offset
    return int(column.data_page_offset if first is None else first)


async def _drop(store: Store, key: str, gone: pa.StringArray) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        await fetch(store, key, file)
        with (
            legible(key),
            opened_table(file, _NAMES) as reader,
            suppress(AlreadyExists),
        ):
            # One that is there was written by a call that was interrupted.
            kept = _without(reader, gone)
            await write_table(store, _next_key(key), reader.schema_arrow, kept)
    await store.erase(key)


async def _without(
    reader: parquet.ParquetFile, gone: pa.StringArray
) -> AsyncIterator[pa.RecordBatch]:
    for batch in reader.iter_batches(ROWS_PER_GROUP):
        yield batch.filter(pc.invert(_is_gone(batch, gone)))


def _is_gone(rows: pa.RecordBatch | pa.Table, gone: pa.StringArray) -> pa.BooleanArray:
    names = [rows.column(name).cast(pa.string()) for name in SCAN_COLUMNS]
    return pc.is_in(pc.binary_join_element_wise(*names, _SEPARATOR), gone)


def _next_key(key: str) -> str:
    """The key of a table that takes another's place: `-` comes before `.` in the order."""
    name, _, times = key.removesuffix(SUFFIX).partition(_WITHOUT)
    return f"{name}{_WITHOUT}{int(times or 0) + 1:04}{SUFFIX}"
