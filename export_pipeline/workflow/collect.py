"""Collect: look in the store for what completed orders brought, verify it, settle it, seal."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from export_pipeline.archive.verify import Verdict, verify
from export_pipeline.errors import BadInput, StoreError
from export_pipeline.ledger import artifacts, events, inbox, orders, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Artifact, ArtifactState, Letter, Order, Outcome, Scan
from export_pipeline.storage.store import Store
from export_pipeline.transfer.concurrency import all_of
from export_pipeline.vendors.vendor import Completion
from export_pipeline.workflow.decide import after_undelivered
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.seal import seal_if_possible
from export_pipeline.workflow.settle import close
from export_pipeline.workflow.targets import endpoints

LEASE_SECONDS = 120.0
"""How long a collector may work on one order before another may take it over."""
SCANS_AT_ONCE = 8
FILES_AT_ONCE = 16
LETTERS_PER_TURN = 500


@dataclass(frozen=True)
class Looked:
    """What the store holds of an order: each artifact with the verdict on its bytes.

    `checksums` are the store's own of what passed, where it has any.
    """

    order: Order
    scan: Scan
    verdicts: Mapping[str, Verdict]
    checksums: Mapping[str, str | None]


async def read_completions(pipeline: Pipeline, limit: int = LETTERS_PER_TURN) -> int:
    """Turn completion webhooks in the inbox into completed orders; return how many were read."""
    return await pipeline.ledger.apply(_read_completions, pipeline, limit)


def _read_completions(tx: Tx, pipeline: Pipeline, limit: int) -> int:
    letters = inbox.unhandled(tx, pipeline.vendor.name, inbox.ORDERS, limit)
    for letter in letters:
        try:
            _read_completion(tx, pipeline, letter)
        except BadInput as error:
            inbox.reject(tx, letter.id, str(error))
        else:
            inbox.handled(tx, [letter.id])
    return len(letters)


def _read_completion(tx: Tx, pipeline: Pipeline, letter: Letter) -> None:
    order = orders.get(tx, letter.subject)
    if order is None:
        raise BadInput(f"no order {letter.subject} in this ledger")
    scan, files = _of_order(tx, order)
    named = endpoints(pipeline, scan, order, files)
    note_completion(tx, order.id, pipeline.vendor.read_completion(letter.body, named))


def note_completion(tx: Tx, order_id: str, completion: Completion) -> None:
    """Note the vendor's word that an order ended, by webhook or by poll; twice changes nothing."""
    order = orders.get(tx, order_id)
    if order is None:
        return
    event = "completed" if orders.completed(tx, order_id, asdict(completion)) else "told again"
    unhealthy = [one.name for one in completion.deliveries if not one.healthy]
    events.record(tx, order.scan_id, event, order_id, unhealthy=unhealthy)


async def collect(pipeline: Pipeline, *, limit: int, scan_ids: Sequence[int] | None = None) -> int:
    """Collect up to `limit` completed orders, of some scans or of all; return how many.

    Raises:
        StoreError: the store failed at one of them; the others are collected all the same, and
            that one is free for the next round.
    """
    taken = await pipeline.ledger.apply(
        orders.take_completed,
        pipeline.vendor.name,
        pipeline.owner,
        limit=limit,
        seconds=LEASE_SECONDS,
        scan_ids=scan_ids,
    )
    gate = asyncio.Semaphore(SCANS_AT_ONCE)

    async def gated(order: Order) -> None:
        async with gate:
            try:
                await collect_order(pipeline, order)
            except StoreError:
                await pipeline.ledger.apply(orders.release, order.id)
                raise

    await all_of(*map(gated, taken))
    return len(taken)


async def collect_order(pipeline: Pipeline, order: Order) -> None:
    """Verify what one order brought, settle it, and seal its generation if it was the last."""
    looked = await _look(pipeline, order)
    if await pipeline.ledger.apply(_settle, pipeline, looked):
        await seal_if_possible(pipeline, looked.scan, order.generation)


async def _look(pipeline: Pipeline, order: Order) -> Looked:
    scan, files = await pipeline.ledger.look(_of_order, order)
    gate = asyncio.Semaphore(FILES_AT_ONCE)
    verdicts: dict[str, Verdict] = {}
    checksums: dict[str, str | None] = {}

    async def look_at(artifact: Artifact) -> None:
        key = pipeline.key(scan, order.generation, artifact.name)
        async with gate:
            verdict = await verify(
                pipeline.store,
                key,
                pipeline.kind(artifact.kind).opener,
                expected_size=artifact.size,
                expected_sha256=artifact.sha256,
            )
            if verdict.passed:
                checksums[artifact.name] = await _checksum(pipeline.store, key)
        verdicts[artifact.name] = verdict

    await all_of(*[look_at(one) for one in files if one.state == ArtifactState.EXPECTED])
    return Looked(order, scan, verdicts, checksums)


async def _checksum(store: Store, key: str) -> str | None:
    if not store.capabilities.signs_uploads:
        return None  # a folder has none, and a look for it would cost each file a call
    found = await store.stat(key)
    return None if found is None else found.checksum


def _of_order(tx: Tx, order: Order) -> tuple[Scan, list[Artifact]]:
    return registry.by_id(tx, order.scan_id), artifacts.of_order(tx, order.id)


def _settle(tx: Tx, pipeline: Pipeline, looked: Looked) -> bool:
    order = orders.get(tx, looked.order.id)
    if order is None or order.state != looked.order.state:
        return False  # another collector took the order over while this one was slow
    if order.completed_at != looked.order.completed_at:
        orders.release(tx, order.id)  # the webhook came while we looked: look once more
        return False
    files = [one for one in artifacts.of_order(tx, order.id) if one.name in looked.verdicts]
    for artifact in files:
        _record(tx, pipeline, artifact, looked)
    undelivered = [one for one in files if not looked.verdicts[one.name].present]
    deadline = order.deadline or tx.now
    if undelivered and order.completion is None and tx.now < deadline:
        events.record(tx, order.scan_id, "no completion yet", order.id, to_come=len(undelivered))
        patience = min(pipeline.settings.order_patience, deadline - tx.now)
        orders.wait_on(tx, order.id, look_after=tx.now + patience)
        return False
    brought = artifacts.of_order(tx, order.id)
    is_whole = all(one.state == ArtifactState.VERIFIED for one in brought)
    outcome = Outcome.DELIVERED if is_whole else Outcome.INCOMPLETE
    reason = _reason(order, undelivered, looked.verdicts)
    attempts = pipeline.settings.attempts
    every = artifacts.of_generation(tx, order.scan_id, order.generation)
    arrived = any(one.state == ArtifactState.VERIFIED for one in every)
    step = after_undelivered(
        undelivered, attempt=order.attempt, attempts=attempts, others_arrived=arrived
    )
    return close(tx, looked.scan, order, outcome, reason, step)


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
            details={"checks": verdict.checks, "opened": verdict.details},
        )
    elif verdict.present:
        artifacts.broken(tx, artifact, verdict.reason)
        events.record(
            tx,
            artifact.scan_id,
            "broken",
            artifact.order_id,
            artifact=artifact.name,
            reason=verdict.reason,
        )


def _reason(order: Order, undelivered: Sequence[Artifact], verdicts: Mapping[str, Verdict]) -> str:
    if not undelivered:
        return "; ".join(verdict.reason for verdict in verdicts.values() if verdict.reason)
    if order.completion is None:
        return f"no delivery before the deadline of attempt {order.attempt}"
    unhealthy = {
        delivery["name"] for delivery in order.completion["deliveries"] if not delivery["healthy"]
    }
    said = "reported a failed delivery" if unhealthy else "reported a delivery that is not there"
    return f"{order.vendor} {said} at attempt {order.attempt}"
