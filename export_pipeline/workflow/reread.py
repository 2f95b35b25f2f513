"""Verify sealed scans again: what Materialize does to them instead of ordering."""

from collections.abc import Collection, Mapping, Sequence

from export_pipeline.archive.signature import Keys
from export_pipeline.ledger import audits, events, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Scan
from export_pipeline.logs import get_logger
from export_pipeline.workflow.auditing.bags import each
from export_pipeline.workflow.auditing.verify import Auditor, Finding
from export_pipeline.workflow.pipeline import Pipeline

PROBLEMS_KEPT = 20
"""Of what is wrong with one bag, in the scan's history."""

log = get_logger(__name__)


async def reread(
    pipeline: Pipeline, scans: Collection[Scan], run_id: str
) -> Mapping[int, Sequence[str]]:
    """Audit the newest bag of each scan, as `verify` does, and keep what that finds.

    Args:
        scans: sealed ones.
        run_id: names the record of this in the store.

    Returns:
        By scan row id what is wrong, in words; nothing of a bag that is whole.
    """
    found: dict[int, Sequence[str]] = {}

    def note(finding: Finding) -> None:
        found[finding.bag.scan_id] = finding.report.problems

    bags = await pipeline.ledger.look(audits.newest, [scan.id for scan in scans])
    keys = Keys.of(pipeline.settings)
    auditor = Auditor(pipeline.ledger, pipeline.store, keys, run_id, tell=note)
    for problem in (await auditor.audit(each(bags))).unkept:
        log.warning("audit_record_not_kept", problem=problem)
    await pipeline.ledger.apply(_record, found)
    return {scan_id: problems for scan_id, problems in found.items() if problems}


def _record(tx: Tx, found: Mapping[int, Sequence[str]]) -> None:
    # Without those that were forgotten meanwhile.
    for scan in registry.by_ids(tx, list(found)):
        problems = list(found[scan.id][:PROBLEMS_KEPT])
        events.record(tx, scan.id, "verified again", passed=not problems, problems=problems)
