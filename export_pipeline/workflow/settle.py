"""Settle artifacts, their kinds and their generation; always within one transaction."""

from collections.abc import Iterable, Sequence

from export_pipeline.ledger import artifacts, events, generations, orders, registry, reports
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import (
    Artifact,
    ArtifactState,
    GenerationState,
    Order,
    Outcome,
    Scan,
    ScanState,
)
from export_pipeline.workflow import describe
from export_pipeline.workflow.decide import NextStep, all_settled, kinds_settled
from export_pipeline.workflow.queue import queue

BROKEN = "broken"
"""Verdict of a generation that gives way to the next one."""
GONE = "expired at vendor"


def close(
    tx: Tx,
    scan: Scan,
    order: Order,
    outcome: Outcome,
    reason: str,
    step: NextStep,
    again: Sequence[Sequence[Artifact]] = (),
) -> bool:
    """Close an order, settle what it could not bring, queue what is tried again, then `finish`.

    Args:
        again: artifacts of each further order; None of them twice.

    Returns:
        Whether the generation is frozen now and wants to be sealed.
    """
    if not orders.close(tx, order.id, outcome, reason):
        return False
    events.record(tx, scan.id, f"closed: {outcome}", order.id, reason=reason)
    for artifact in step.absent:
        artifacts.absent(tx, artifact, f"{reason}: this scan does not have it")
    for artifact in step.missing:
        artifacts.missing(tx, artifact, reason)
    for part in (step.again, *again):
        if part:
            artifacts.expect_again(tx, part)
            names = [artifact.name for artifact in part]
            attempt, queue_class = order.attempt + 1, order.queue_class
            queue(tx, scan, order.generation, names, attempt=attempt, queue_class=queue_class)
    touched = [artifact.kind for artifact in artifacts.of_order(tx, order.id)]
    touched += [artifact.kind for artifact in (*step.absent, *step.missing)]
    report_kinds(tx, scan, order.generation, touched)
    return finish(tx, scan, order.generation)


def close_gone(tx: Tx, scan: Scan, reason: str) -> bool:
    """Close every unsent order of a scan that the vendor no longer has; costs no second call."""
    frozen = False
    for order in orders.of_scan(tx, scan.id, scan.generation):
        if order.state in ("queued", "sending"):
            lost = artifacts.of_order(tx, order.id)
            step = NextStep(missing=tuple(lost))
            frozen = close(tx, scan, order, Outcome.GONE, f"{GONE}: {reason}", step) or frozen
    every = artifacts.of_generation(tx, scan.id, scan.generation)
    if all(one.state in (ArtifactState.MISSING, ArtifactState.ABSENT) for one in every):
        registry.settle(tx, scan.id, ScanState.EXPIRED, f"{GONE}: {reason}")
    return frozen


def finish(tx: Tx, scan: Scan, number: int) -> bool:
    """Freeze a generation of which everything is settled; True if it wants to be sealed now.

    One with broken bytes is frozen even if nobody wants its bag, to give way to the next one.
    """
    generation = generations.find(tx, scan.id, number)
    if generation is None or generation.state != GenerationState.OPEN:
        return False
    every = artifacts.of_generation(tx, scan.id, number)
    if not every or not all_settled(every):
        return False
    found = {state: [one for one in every if one.state == state] for state in ArtifactState}
    missing, verified = found[ArtifactState.MISSING], found[ArtifactState.VERIFIED]
    if not (generation.wants_bag or found[ArtifactState.BROKEN]):
        return False
    if missing and not verified and not found[ArtifactState.BROKEN]:
        _fail(tx, scan, number, missing)
        return False
    verdict = ScanState.PARTIAL if missing else ScanState.ARCHIVED
    size = sum(one.size or 0 for one in verified)
    word = BROKEN if found[ArtifactState.BROKEN] else verdict.value
    generations.freeze(tx, scan.id, number, word, len(verified), size)
    events.record(tx, scan.id, "frozen", generation=number, verdict=word)
    return True


def _fail(tx: Tx, scan: Scan, generation: int, missing: Sequence[Artifact]) -> None:
    reason = "; ".join(dict.fromkeys(one.reason for one in missing))
    registry.settle(tx, scan.id, ScanState.FAILED, reason)
    events.record(tx, scan.id, "failed", generation=generation, reason=reason)
    report(tx, scan, generation, describe.BAG, (reports.FAILED, {"reason": reason}))


def report_kinds(tx: Tx, scan: Scan, generation: int, touched: Iterable[str]) -> None:
    """Have Dagster show those kinds of which the last artifact was settled just now."""
    every = artifacts.of_generation(tx, scan.id, generation)
    for name in kinds_settled(every, touched):
        files = [one for one in every if one.kind == name]
        report(tx, scan, generation, name, describe.kind(tx, scan, generation, name, files))


def report(tx: Tx, scan: Scan, generation: int, asset: str, shown: describe.Shown) -> None:
    """Have Dagster show an asset of the scan."""
    status, facts = shown
    reports.add(
        tx,
        scan_id=scan.id,
        vendor=scan.vendor,
        generation=generation,
        asset=asset,
        status=status,
        **facts,
    )
