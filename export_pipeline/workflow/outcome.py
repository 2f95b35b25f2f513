"""What becomes of a completed order, from what was seen of it; within one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from export_pipeline.archive.verify import Verdict
from export_pipeline.ledger import artifacts, events, orders, placed
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rest import is_final, let_rest, may_pass, rest_seconds
from export_pipeline.ledger.rows import Artifact, ArtifactState, Order, Outcome, Scan
from export_pipeline.workflow.bring import Failure
from export_pipeline.workflow.decide import NextStep, after_undelivered
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.settle import close

AGAIN_SECONDS = 30.0
"""Until what the vendor did not give just now is asked for again."""


@dataclass(frozen=True)
class Looked:
    """What the store holds of an order: each artifact with the verdict on its bytes.

    `checksums` are the store's own of what passed, where it has any; `failures` tell why the
    vendor did not give what was to be pulled.
    """

    order: Order
    scan: Scan
    verdicts: Mapping[str, Verdict]
    checksums: Mapping[str, str | None]
    failures: Mapping[str, Failure]


def settle_order(tx: Tx, pipeline: Pipeline, looked: Looked) -> bool:
    """Settle what is there, and close the order unless it may still bring more.

    Returns:
        Whether the generation is frozen now and wants to be sealed.
    """
    order = orders.get(tx, looked.order.id)
    if order is None or order.state != looked.order.state:
        return False  # another collector took the order over while this one was slow
    if order.completed_at != looked.order.completed_at:
        placed.release(tx, order.id)  # the webhook came while we looked: look once more
        return False
    files = [one for one in artifacts.of_order(tx, order.id) if one.name in looked.verdicts]
    for artifact in files:
        _record(tx, pipeline, artifact, looked)
    undelivered = [one for one in files if not looked.verdicts[one.name].present]
    if undelivered and _postponed(tx, pipeline, order, looked, len(undelivered)):
        return False
    brought = artifacts.of_order(tx, order.id)
    is_whole = all(one.state == ArtifactState.VERIFIED for one in brought)
    outcome = Outcome.DELIVERED if is_whole else Outcome.INCOMPLETE
    step = _next_step(tx, pipeline, order, looked, undelivered)
    return close(tx, looked.scan, order, outcome, _reason(order, undelivered, looked), step)


def _postponed(tx: Tx, pipeline: Pipeline, order: Order, looked: Looked, to_come: int) -> bool:
    """Wait on if the vendor has not said that the order ended, or may give later what it made."""
    passing = [error for error in looked.failures.values() if may_pass(error)]
    for error in passing:
        let_rest(tx, order.vendor, order.account, error)
    deadline = order.deadline or tx.now
    if tx.now >= deadline or not (passing or order.completion is None):
        return False
    reasons = {"reason": "; ".join(dict.fromkeys(map(str, passing)))} if passing else {}
    event = "not brought yet" if passing else "no completion yet"
    events.record(tx, order.scan_id, event, order.id, to_come=to_come, **reasons)
    patience = pipeline.settings.order_patience
    if passing:
        patience = min(patience, max(AGAIN_SECONDS, *(rest_seconds(one) for one in passing)))
    placed.wait_on(tx, order.id, look_after=tx.now + min(patience, deadline - tx.now))
    return True


def _next_step(
    tx: Tx, pipeline: Pipeline, order: Order, looked: Looked, undelivered: Sequence[Artifact]
) -> NextStep:
    every = artifacts.of_generation(tx, order.scan_id, order.generation)
    final = [
        one
        for one in undelivered
        if (order.completion or {}).get("is_final")
        or (one.name in looked.failures and is_final(looked.failures[one.name]))
    ]
    step = after_undelivered(
        [one for one in undelivered if one not in final],
        attempt=order.attempt,
        attempts=pipeline.settings.attempts,
        others_arrived=any(one.state == ArtifactState.VERIFIED for one in every),
    )
    return replace(step, missing=(*step.missing, *final))


def _record(tx: Tx, pipeline: Pipeline, artifact: Artifact, looked: Looked) -> None:
    verdict = looked.verdicts[artifact.name]
    if verdict.passed:
        artifacts.verified(
            tx,
            artifact,
            size=verdict.size,
            sha256=verdict.sha256,
            content_type=pipeline.kind(artifact.kind).media_type,
            checksum=looked.checksums[artifact.name],
            details={
                **(artifact.details or {}),
                "checks": verdict.checks,
                "opened": verdict.details,
            },
        )
        if verdict.doubt:
            _tell(tx, artifact, "kept as it came", verdict.doubt)
    elif verdict.present:
        artifacts.broken(tx, artifact, verdict.reason)
        _tell(tx, artifact, "broken", verdict.reason)


def _tell(tx: Tx, artifact: Artifact, event: str, reason: str) -> None:
    events.record(
        tx, artifact.scan_id, event, artifact.order_id, artifact=artifact.name, reason=reason
    )


def _reason(order: Order, undelivered: Sequence[Artifact], looked: Looked) -> str:
    if not undelivered:
        return "; ".join(one.reason for one in looked.verdicts.values() if one.reason)
    if refused := [one.reason for one in undelivered if one.reason]:
        return "; ".join(dict.fromkeys(refused))
    if looked.failures:
        return "; ".join(dict.fromkeys(map(str, looked.failures.values())))
    if order.completion is None:
        return f"no delivery before the deadline of attempt {order.attempt}"
    if failure := order.completion.get("failure"):
        return f"{order.vendor} failed attempt {order.attempt}: {failure}"
    unhealthy = {
        delivery["name"] for delivery in order.completion["deliveries"] if not delivery["healthy"]
    }
    said = "reported a failed delivery" if unhealthy else "reported a delivery that is not there"
    return f"{order.vendor} {said} at attempt {order.attempt}"
