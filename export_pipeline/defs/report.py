"""The archive's report as an asset."""

from datetime import UTC, datetime

import dagster as dg

from export_pipeline.archive.layout import REPORT_FOLDER
from export_pipeline.defs.runs import held_run
from export_pipeline.defs.slices import ARCHIVE, BAGS, DAILY, OWNER
from export_pipeline.errors import StoreError
from export_pipeline.storage.store import Store, pieces
from export_pipeline.vendors.open import open_vendors
from export_pipeline.workflow.reporting.figures import read_figures
from export_pipeline.workflow.reporting.report import render_page
from export_pipeline.workflow.reporting.report_markdown import render_markdown

REPORTS_KEPT = 7
"""A week of them: a scan that was forgotten lives on in no older one."""
CONTENT_TYPE = "text/html; charset=utf-8"


@dg.asset(
    key=[ARCHIVE, "report"],
    deps=BAGS,
    group_name=ARCHIVE,
    kinds={"html"},
    owners=[OWNER],
    freshness_policy=DAILY,
    required_resource_keys={"settings", "storage", "ledger"},
    check_specs=[
        dg.AssetCheckSpec(
            "removed",
            asset=[ARCHIVE, "report"],
            description=f"All reports but the newest {REPORTS_KEPT} are removed, for good.",
        )
    ],
)
async def report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """How everything stands, as one HTML page in the store: from the ledger alone."""
    ledger, store = context.resources.ledger.open(), context.resources.storage.open()
    vendors = open_vendors(context.resources.settings.read(), ledger)
    with held_run(ledger, context.run.run_id):
        figures = await ledger.look(read_figures, vendors)
        page = pieces(render_page(figures).encode())
        written = await store.put(_key(context.run.run_id), page, content_type=CONTENT_TYPE)
        removed = await _remove(store)
    parts = render_markdown(figures)
    return dg.MaterializeResult(
        metadata={
            **{name: dg.MetadataValue.md(text) for name, text in parts.items()},
            "location": f"{store.url.rstrip('/')}/{written.key}",
            "size": written.size,
            "scans": sum(one.scans for one in figures.states),
            "sealed_bytes": figures.status.sealed_bytes,
            "damaged": figures.damaged_count,
            "ending_soon": figures.ending_count,
        },
        check_results=[removed],
    )


def _key(run_id: str) -> str:
    """In order of time, and one run's own."""
    return f"{REPORT_FOLDER}{datetime.now(UTC):%Y-%m-%dt%H%M%S}-{run_id[:8]}.html"


async def _remove(store: Store) -> dg.AssetCheckResult:
    """Erase all reports but the newest few; a store that locks them harms no new one."""
    keys = sorted([found.key async for found in store.list(REPORT_FOLDER)])
    old = keys[:-REPORTS_KEPT]
    try:
        for key in old:
            await store.erase(key)
    except StoreError as error:
        return dg.AssetCheckResult(
            passed=False,
            check_name="removed",
            severity=dg.AssetCheckSeverity.WARN,
            description=str(error),
        )
    return dg.AssetCheckResult(passed=True, check_name="removed", metadata={"removed": len(old)})
