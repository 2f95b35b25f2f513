"""The tables of the archive: Parquet objects, written and read a row group at a time."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from pyarrow import parquet

from export_pipeline.errors import BadInput
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
    """Write the new object `key` in row groups of `ROWS_PER_GROUP`, with a checksum a page.

    Raises:
        AlreadyExists: there is a table under that key.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        with _writing(file, schema) as writer:
            async for group in _groups(schema, batches):
                await asyncio.to_thread(writer.write_table, group, ROWS_PER_GROUP)
        return await store.put(key, _chunks(file), content_type=CONTENT_TYPE)


def _writing(file: Path, schema: pa.Schema) -> parquet.ParquetWriter:
    return parquet.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True)


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


async def read_table(store: Store, key: str, columns: pa.Schema) -> AsyncIterator[pa.RecordBatch]:
    """Read these columns of the table at `key`, `ROWS_PER_GROUP` rows at a time.

    Raises:
        BadInput: it has them not all or of other types, or its bytes are not those that were
            written.
        NotFound: there is no such object.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "table.parquet"
        await fetch(store, key, file)
        with legible(key), opened_table(file, columns) as reader:
            for batch in reader.iter_batches(ROWS_PER_GROUP, columns=columns.names):
                yield batch


@contextmanager
def opened_table(file: Path, columns: pa.Schema) -> Iterator[parquet.ParquetFile]:
    """Open a table whose pages are compared with their checksums as they are read.

    Raises:
        pyarrow.ArrowInvalid: it has not each of these columns once and of its type.
    """
    with parquet.ParquetFile(file, page_checksum_verification=True) as reader:
        for wanted in columns:
            kinds = [one.type for one in reader.schema_arrow if one.name == wanted.name]
            if [_decoded(kind) for kind in kinds] != [wanted.type]:
                found = " and ".join(map(str, kinds)) or "absent"
                raise pa.ArrowInvalid(f"its column {wanted.name} is {found}, not {wanted.type}")
        yield reader


def _decoded(kind: pa.DataType) -> pa.DataType:
    """The type of the values, which some writers keep in a dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


@contextmanager
def legible(key: str) -> Iterator[None]:
    """Name the table in what is wrong with its bytes.

    Raises:
        BadInput: they cannot be read as a table of the archive.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        # PyArrow's own have no number; those of this machine's disk do.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BadInput(f"{key} cannot be read as a table of the archive: {error}") from None


async def fetch(store: Store, key: str, file: Path) -> None:
    """Copy an object into a file."""
    with file.open("wb") as opened:
        async for chunk in store.open(key):
            await asyncio.to_thread(opened.write, chunk)


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while chunk := await asyncio.to_thread(opened.read, CHUNK_BYTES):
            yield chunk
