"""The tables of the archive: Parquet objects, written and read a row group at a time."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Collection
from contextlib import suppress
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import parquet

from export_pipeline.errors import AlreadyExists
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import CHUNK_BYTES, Store, StoredObject

CONTENT_TYPE = "application/vnd.apache.parquet"
"""Registered with IANA."""
SUFFIX = ".parquet"
SCAN_COLUMNS = ("vendor", "account", "scan")
"""What tells in every table whose row it is."""
_WITHOUT = "-without-"
"""Before the number of times that rows were dropped from a table."""
_SEPARATOR = "\0"
"""Between the names of a scan where they are compared: in none of them."""


def table_key(folder: str, moment: datetime, run_id: str) -> str:
    """Return the key of a new table: in order of time, and one run's own."""
    return f"{folder}{moment:%Y-%m-%dt%H%M%S}-{run_id[:8]}.parquet"


async def write_table(
    store: Store, key: str, schema: pa.Schema, batches: AsyncIterable[pa.RecordBatch]
) -> StoredObject:
    """Write the new object `key`, a row group a batch.

    Raises:
        AlreadyExists: there is a table under that key.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            async for batch in batches:
                await asyncio.to_thread(writer.write_batch, batch)
        return await store.put(key, _chunks(file), content_type=CONTENT_TYPE)


async def read_table(store: Store, key: str) -> AsyncIterator[pa.RecordBatch]:
    """Read the table at `key`, a row group at a time.

    Raises:
        NotFound: there is no such object.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        await _fetch(store, key, file)
        with parquet.ParquetFile(file) as reader:
            for batch in reader.iter_batches():
                yield batch


async def drop_scans(store: Store, folder: str, keys: Collection[ScanKey]) -> int:
    """Write every table below a folder that has rows of these scans anew without them.

    The new table takes the old one's place in the order, and every version of that is erased.
    Interrupted, it is finished by the same call again.

    Returns:
        How many tables were written anew.
    """
    gone = pa.array([_SEPARATOR.join(astuple(key)) for key in keys], pa.string())
    tables = [found.key async for found in store.list(folder) if found.key.endswith(SUFFIX)]
    return sum([await _drop(store, key, gone) for key in tables])


async def _drop(store: Store, key: str, gone: pa.StringArray) -> bool:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        await _fetch(store, key, file)
        with parquet.ParquetFile(file) as reader:
            if not await asyncio.to_thread(_has_any, reader, gone):
                return False
            with suppress(AlreadyExists):  # a call that was interrupted wrote it
                kept = _without(reader, gone)
                await write_table(store, _next_key(key), reader.schema_arrow, kept)
    await store.erase(key)
    return True


def _has_any(reader: parquet.ParquetFile, gone: pa.StringArray) -> bool:
    batches = reader.iter_batches(columns=SCAN_COLUMNS)
    return any(pc.any(_is_gone(batch, gone)).as_py() for batch in batches)


async def _without(
    reader: parquet.ParquetFile, gone: pa.StringArray
) -> AsyncIterator[pa.RecordBatch]:
    for batch in reader.iter_batches():
        yield batch.filter(pc.invert(_is_gone(batch, gone)))


def _is_gone(batch: pa.RecordBatch, gone: pa.StringArray) -> pa.BooleanArray:
    names = [batch.column(name).cast(pa.string()) for name in SCAN_COLUMNS]
    return pc.is_in(pc.binary_join_element_wise(*names, _SEPARATOR), gone)


def _next_key(key: str) -> str:
    """The key of a table that takes another's place: `-` comes before `.` in the order."""
    name, _, times = key.removesuffix(SUFFIX).partition(_WITHOUT)
    return f"{name}{_WITHOUT}{int(times or 0) + 1:04}{SUFFIX}"


async def _fetch(store: Store, key: str, file: Path) -> None:
    with file.open("wb") as opened:
        async for chunk in store.open(key):
            await asyncio.to_thread(opened.write, chunk)


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while chunk := await asyncio.to_thread(opened.read, CHUNK_BYTES):
            yield chunk
