"""The archive's catalog as an asset."""

from datetime import UTC, datetime

import dagster as dg

from export_pipeline.defs.runs import held_run
from export_pipeline.defs.slices import ARCHIVE, BAGS, DAILY, OWNER

COUNTS = dg.TableSchema(
    [dg.TableColumn("vendor"), dg.TableColumn("status"), dg.TableColumn("rows", "int")]
)


@dg.asset(
    key=[ARCHIVE, "catalog"],
    deps=BAGS,
    group_name=ARCHIVE,
    kinds={"parquet"},
    owners=[OWNER],
    freshness_policy=DAILY,
    required_resource_keys={"storage", "ledger"},
)
async def catalog(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per archived artifact as Parquet; older snapshots are kept beside it."""
    # PyArrow is a seventh of what it costs to start a run, and other runs do without.
    from export_pipeline.archive.catalog import write_catalog  # noqa: PLC0415

    store, ledger = context.resources.storage.open(), context.resources.ledger.open()
    with held_run(ledger, context.run.run_id):
        made = await write_catalog(ledger, store, datetime.now(UTC), context.run.run_id)
    counts = [
        dg.TableRecord({"vendor": vendor, "status": status, "rows": rows})
        for (vendor, status), rows in sorted(made.rows.items())
    ]
    return dg.MaterializeResult(
        metadata={
            "rows": made.rows.total(),
            "size": made.size,
            "location": f"{store.url.rstrip('/')}/{made.key}",
            "rows_by_vendor_and_status": dg.MetadataValue.table(counts, COUNTS),
        }
    )
