"""The archive's catalog as an asset."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import dagster as dg
import pyarrow as pa

from export_pipeline.archive import catalog as catalogs
from export_pipeline.archive.layout import CATALOG_FOLDER
from export_pipeline.archive.tables import table_key, write_table
from export_pipeline.defs.runs import held_run
from export_pipeline.defs.slices import ARCHIVE, DAILY, OWNER


@dg.asset(
    key=[ARCHIVE, "catalog"],
    group_name=ARCHIVE,
    kinds={"parquet"},
    owners=[OWNER],
    freshness_policy=DAILY,
    required_resource_keys={"storage", "ledger"},
)
async def catalog(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per archived artifact as Parquet, rebuilt from the store alone."""
    store = context.resources.storage.open()
    key = table_key(CATALOG_FOLDER, datetime.now(UTC), context.run.run_id)
    rows = 0

    async def counted() -> AsyncIterator[pa.RecordBatch]:
        nonlocal rows
        async for batch in catalogs.batches(store):
            rows += batch.num_rows
            yield batch

    with held_run(context.resources.ledger.open(), context.run.run_id):
        written = await write_table(store, key, catalogs.SCHEMA, counted())
    return dg.MaterializeResult(
        metadata={
            "rows": rows,
            "size": written.size,
            "location": f"{store.url.rstrip('/')}/{key}",
        }
    )
