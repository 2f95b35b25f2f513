"""The archive's catalog as an asset."""

from datetime import UTC, datetime

import dagster as dg

from export_pipeline.defs.runs import held_run
from export_pipeline.defs.slices import ARCHIVE, BAGS, DAILY, OWNER
from export_pipeline.errors import StoreError
from export_pipeline.storage.store import Store

COUNTS = dg.TableSchema(
    [dg.TableColumn("vendor"), dg.TableColumn("status"), dg.TableColumn("rows", "int")]
)
_KEY = [ARCHIVE, "catalog"]


@dg.asset(
    key=_KEY,
    deps=BAGS,
    group_name=ARCHIVE,
    kinds={"parquet"},
    owners=[OWNER],
    freshness_policy=DAILY,
    required_resource_keys={"storage", "ledger"},
    check_specs=[
        dg.AssetCheckSpec(
            "thinned",
            asset=_KEY,
            description="Of catalogs that are a month old the last of each month is left.",
        )
    ],
)
async def catalog(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per archived artifact as Parquet; the history of it is thinned after a month."""
    # PyArrow is a seventh of what it costs to start a run, and other runs do without.
    from export_pipeline.archive.catalog import write_catalog  # noqa: PLC0415

    store, ledger = context.resources.storage.open(), context.resources.ledger.open()
    with held_run(ledger, context.run.run_id):
        made = await write_catalog(ledger, store, datetime.now(UTC), context.run.run_id)
        thinned = await _thin(store)
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
        },
        check_results=[thinned],
    )


async def _thin(store: Store) -> dg.AssetCheckResult:
    """Erase what the history does without; a store that locks it harms no new catalog."""
    from export_pipeline.archive.catalog import thin  # noqa: PLC0415

    try:
        erased = await thin(store, datetime.now(UTC))
    except StoreError as error:
        return dg.AssetCheckResult(
            passed=False,
            check_name="thinned",
            severity=dg.AssetCheckSeverity.WARN,
            description=str(error),
        )
    return dg.AssetCheckResult(passed=True, check_name="thinned", metadata={"erased": erased})
