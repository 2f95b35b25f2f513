"""The archive's fixity audit as an asset."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from export_pipeline.archive.signature import Keys
from export_pipeline.defs.runs import held_run
from export_pipeline.defs.slices import ARCHIVE, BAGS, DAILY, OWNER
from export_pipeline.errors import StoreError
from export_pipeline.ledger.database import Ledger
from export_pipeline.settings import Settings
from export_pipeline.storage.store import Store

if TYPE_CHECKING:
    from export_pipeline.workflow.auditing.fixity import FixityRun

LEFTOVER_SECONDS = 24 * 3_600.0
"""Age at which what a writer left is nobody's: no upload runs for a day."""
PROBLEMS_SHOWN = 50
_KEY = [ARCHIVE, "fixity"]
_CHECKS = {
    "intact": "Every bag reread is as it was sealed; the store has every bag that the ledger has,"
    " and nothing that belongs to none.",
    "on_time": "At this pace the whole archive is reread within EXPORT_FIXITY_DAYS.",
    "recorded": "What was found is kept in the store, beside the bags.",
    "swept": "What crashed writers left in the store a day ago or earlier is removed.",
}


@dg.asset(
    key=_KEY,
    deps=BAGS,
    group_name=ARCHIVE,
    kinds={"bagit"},
    owners=[OWNER],
    freshness_policy=DAILY,
    required_resource_keys={"settings", "storage", "ledger"},
    check_specs=[
        dg.AssetCheckSpec(name, asset=_KEY, description=text) for name, text in _CHECKS.items()
    ],
)
def fixity(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Rereads the sealed bags verified longest ago: changed, missing and untracked files.

    Also compares what the store lists with the ledger, and sweeps the store, which may be refused
    without harm to the audit.
    """
    settings = context.resources.settings.read()
    store, ledger = context.resources.storage.open(), context.resources.ledger.open()
    # Not by Dagster's own loop, which ends before a store has closed its connections.
    with held_run(ledger, context.run.run_id):
        run, swept = asyncio.run(_run(ledger, store, settings, context.run.run_id))
    return dg.MaterializeResult(
        metadata=_facts(run),
        check_results=[_intact(run), _on_time(run, settings), _recorded(run), swept],
    )


async def _run(
    ledger: Ledger, store: Store, settings: Settings, run_id: str
) -> tuple["FixityRun", dg.AssetCheckResult]:
    # They bring PyArrow, a seventh of what it costs to start a run.
    from export_pipeline.workflow.auditing.fixity import run_fixity  # noqa: PLC0415
    from export_pipeline.workflow.auditing.verify import Auditor  # noqa: PLC0415

    auditor = Auditor(ledger, store, Keys.of(settings), run_id, settings.fixity_trust_store)
    return await run_fixity(auditor, settings), await _sweep(store)


def _facts(run: "FixityRun") -> dict[str, Any]:
    report = run.report
    return {
        "bags": report.bags,
        "files": report.files,
        "bytes": report.bytes,
        "problems": _shown(report.problems),
        "archive_bags": run.size.bags,
        "archive_bytes": run.size.bytes,
        "budget_bytes": run.pace.budget,
        "days_to_go_round": run.pace.days,
        "oldest_verified": dg.MetadataValue.timestamp(run.size.oldest or run.size.at),
    }


def _intact(run: "FixityRun") -> dg.AssetCheckResult:
    """Names of what is wrong by kind, the first of each; how many there are in all."""
    report = run.report
    named = {kind: _shown(names) for kind, names in report.names.items() if names}
    return dg.AssetCheckResult(
        passed=not report.problems,
        check_name="intact",
        description="\n".join(report.problems[:PROBLEMS_SHOWN]) or None,
        metadata={
            "failed": len(report.failed),
            **{f"{kind}_count": len(names) for kind, names in report.names.items() if names},
            **named,
            **({"elsewhere": _shown(report.elsewhere)} if report.elsewhere else {}),
        },
    )


def _on_time(run: "FixityRun", settings: Settings) -> dg.AssetCheckResult:
    late = run.oldest_days > settings.fixity_days
    said = ""
    if not run.pace.is_enough:
        said = (
            f"EXPORT_FIXITY_BYTES lets a run reread {run.pace.budget} bytes, so that going round"
            f" takes {run.pace.days} days: set it to at least {run.pace.needed}, or raise"
            " EXPORT_FIXITY_DAYS"
        )
    elif late:
        said = (
            f"a bag was verified {run.oldest_days:.0f} days ago, since runs were missed:"
            " materialize archive/fixity again until this passes"
        )
    return dg.AssetCheckResult(
        passed=not said,
        check_name="on_time",
        severity=dg.AssetCheckSeverity.WARN,
        description=said or None,
        metadata={
            "days": settings.fixity_days,
            "days_to_go_round": run.pace.days,
            "oldest_days": round(run.oldest_days, 1),
        },
    )


def _recorded(run: "FixityRun") -> dg.AssetCheckResult:
    said = run.report.unkept
    return dg.AssetCheckResult(
        passed=not said,
        check_name="recorded",
        severity=dg.AssetCheckSeverity.WARN,
        description="\n".join(said) or None,
    )


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


def _shown(names: Sequence[str]) -> dg.MetadataValue[Any]:
    return dg.MetadataValue.json(list(names[:PROBLEMS_SHOWN]))
