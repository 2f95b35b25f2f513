"""The archive's fixity audit as an asset."""

import time
from typing import Any

import dagster as dg

from export_pipeline.archive.fixity import fixity as audit
from export_pipeline.archive.layout import bag_prefix
from export_pipeline.defs.runs import held_run
from export_pipeline.defs.slices import ARCHIVE, DAILY, OWNER
from export_pipeline.errors import StoreError
from export_pipeline.ledger import generations, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.storage.store import Store

AUDITS_PER_RUN = 1_000
"""Bags reread by one run of the audit, those first that nobody has reread for longest."""
LEFTOVER_SECONDS = 24 * 3_600.0
"""Age at which what a writer left is nobody's: no upload runs for a day."""
PROBLEMS_SHOWN = 50


@dg.asset(
    key=[ARCHIVE, "fixity"],
    group_name=ARCHIVE,
    kinds={"bagit"},
    owners=[OWNER],
    freshness_policy=DAILY,
    required_resource_keys={"storage", "ledger"},
    check_specs=[
        dg.AssetCheckSpec(
            "intact",
            asset=[ARCHIVE, "fixity"],
            description="Every file reread has the checksum under which it was sealed.",
        ),
        dg.AssetCheckSpec(
            "swept",
            asset=[ARCHIVE, "fixity"],
            description="What crashed writers left in the store a day ago or earlier is removed.",
        ),
    ],
)
async def fixity(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Rereads sealed bags, oldest audit first: changed, missing and untracked files.

    Then sweeps the store, which may be refused without harm to the audit.
    """
    store, ledger = context.resources.storage.open(), context.resources.ledger.open()
    due = await ledger.look(_due)
    with held_run(ledger, context.run.run_id):
        report = await audit(store, [prefix for prefix, _, _ in due])
        swept = await _sweep(store)
    reread = set(report.audited)
    await ledger.apply(
        generations.audited, [(scan, number) for prefix, scan, number in due if prefix in reread]
    )
    facts: dict[str, dg.MetadataValue[Any] | int] = {
        "bags": len(report.audited),
        "files": report.files,
        "bytes": report.bytes,
        "problems": dg.MetadataValue.json(report.problems[:PROBLEMS_SHOWN]),
    }
    check = dg.AssetCheckResult(
        passed=not report.problems, check_name="intact", metadata={"failed": len(report.failed)}
    )
    return dg.MaterializeResult(metadata=facts, check_results=[check, swept])


async def _sweep(store: Store) -> dg.AssetCheckResult:
    try:
        removed = await store.sweep(LEFTOVER_SECONDS, time.time())
    except StoreError as error:
        return dg.AssetCheckResult(
            passed=False,
            check_name="swept",
            severity=dg.AssetCheckSeverity.WARN,
            description=str(error),
        )
    return dg.AssetCheckResult(passed=True, check_name="swept", metadata={"removed": removed})


def _due(tx: Tx) -> list[tuple[str, int, int]]:
    """Folder, scan row id and number of the sealed bags whose last audit is oldest."""
    due = generations.due_for_audit(tx, AUDITS_PER_RUN)
    scans = {scan.id: scan for scan in registry.by_ids(tx, [one.scan_id for one in due])}
    return [
        (bag_prefix(scans[one.scan_id].key, one.number), one.scan_id, one.number) for one in due
    ]
