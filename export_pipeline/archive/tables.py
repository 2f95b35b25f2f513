"""The tables of the archive: Parquet objects, written and read a row group at a time."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from pyarrow import parquet

from export_pipeline.storage.store import CHUNK_BYTES, Store, StoredObject

CONTENT_TYPE = "application/vnd.apache.parquet"
"""Registered with IANA."""
SUFFIX = ".parquet"
ROWS_PER_GROUP = 5_000
"""A few MB in memory."""


def table_key(folder: str, moment: datetime, run_id: str) -> str:
    """Return the key of a new table: in order of time, and one run's own."""
    return f"{folder}{moment:%Y-%m-%dt%H%M%S}-{run_id[:8]}.parquet"


async def write_table(
    store: Store, key: str, schema: pa.Schema, batches: AsyncIterable[pa.RecordBatch]
) -> StoredObject:
    """Write the new object `key` in row groups of `ROWS_PER_GROUP`.

    Raises:
        AlreadyExists: there is a table under that key.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            async for group in _groups(schema, batches):
                await asyncio.to_thread(writer.write_table, group, ROWS_PER_GROUP)
        return await store.put(key, _chunks(file), content_type=CONTENT_TYPE)


async def _groups(
    schema: pa.Schema, batches: AsyncIterable[pa.RecordBatch]
) -> AsyncIterator[pa.Table]:
    """Batches put together, so that small ones make no small row groups."""
    held: list[pa.RecordBatch] = []
    async for batch in batches:
        held.append(batch)
        if sum(one.num_rows for one in held) >= ROWS_PER_GROUP:
            yield pa.Table.from_batches(held, schema)
            held = []
    if held:
        yield pa.Table.from_batches(held, schema)


async def read_table(store: Store, key: str) -> AsyncIterator[pa.RecordBatch]:
    """Read the table at `key`, `ROWS_PER_GROUP` rows at a time.

    Raises:
        NotFound: there is no such object.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        await fetch(store, key, file)
        with parquet.ParquetFile(file) as reader:
            for batch in reader.iter_batches(ROWS_PER_GROUP):
                yield batch


async def fetch(store: Store, key: str, file: Path) -> None:
    """Copy an object into a file."""
    with file.open("wb") as opened:
        async for chunk in store.open(key):
            await asyncio.to_thread(opened.write, chunk)


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while chunk := await asyncio.to_thread(opened.read, CHUNK_BYTES):
            yield chunk
