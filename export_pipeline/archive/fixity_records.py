"""Fixity records: what each audit found, kept beside the bags as Parquet.

A scan's newest record says when it was last verified and how that ended; the ledger's columns
`audited_at` and `damage` are rebuilt from these.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from export_pipeline.archive.layout import FIXITY_FOLDER
from export_pipeline.archive.moments import milliseconds
from export_pipeline.archive.tables import read_table, table_key, write_table
from export_pipeline.errors import BadInput
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store, StoredObject

SCHEMA = pa.schema(
    [
        ("vendor", pa.string()),
        ("account", pa.string()),
        ("scan", pa.string()),
        ("generation", pa.int32()),
        ("audited_at", pa.timestamp("ms", tz="UTC")),
        ("files", pa.int32()),
        ("bytes", pa.int64()),
        ("damage", pa.string()),
    ]
)
"""One row per bag and audit: `scan` is the vendor's own id, `damage` is "" for a whole bag."""


@dataclass(frozen=True)
class FixityRecord:
    """What one audit of one bag found.

    Args:
        scan: whose bag it is.
        generation: which of its bags.
        audited_at: seconds since the epoch, by the ledger's clock.
        files: how many files were there to reread.
        bytes: how many bytes they had.
        damage: what is wrong, a sentence a line; "" if nothing.
    """

    scan: ScanKey
    generation: int
    audited_at: float
    files: int
    bytes: int
    damage: str


async def write_records(
    store: Store, moment: datetime, run_id: str, records: Sequence[FixityRecord]
) -> StoredObject:
    """Write the records of one audit as a new table.

    Raises:
        StoreError: the store refused it.
    """

    async def batches() -> AsyncIterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([_row(record) for record in records], SCHEMA)

    return await write_table(store, table_key(FIXITY_FOLDER, moment, run_id), SCHEMA, batches())


async def read_records(
    store: Store, unreadable: Callable[[str, str], None]
) -> AsyncIterator[FixityRecord]:
    """Every record table by table, oldest first: of one bag the newest counts.

    Args:
        store: has them.
        unreadable: called with the key of a table that cannot be read, and why.
    """
    keys = [found.key async for found in store.list(FIXITY_FOLDER)]
    for key in sorted(keys):
        try:
            async for batch in read_table(store, key, SCHEMA):
                for row in batch.to_pylist():
                    yield _record(row)
        except BadInput as error:
            unreadable(key, str(error))


def _record(row: Mapping[str, Any]) -> FixityRecord:
    return FixityRecord(
        scan=ScanKey(row["vendor"], row["account"], row["scan"]),
        generation=row["generation"],
        audited_at=row["audited_at"].timestamp(),
        files=row["files"],
        bytes=row["bytes"],
        damage=row["damage"],
    )


def _row(record: FixityRecord) -> dict[str, object]:
    return {
        "vendor": record.scan.vendor,
        "account": record.scan.account,
        "scan": record.scan.scan,
        "generation": record.generation,
        "audited_at": milliseconds(record.audited_at),
        "files": record.files,
        "bytes": record.bytes,
        "damage": record.damage,
    }
