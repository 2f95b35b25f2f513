"""Seal a frozen generation, or make way for the next one where its bytes are broken."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from export_pipeline.archive import bag
from export_pipeline.archive.bag import PayloadFile
from export_pipeline.archive.layout import bag_prefix, seal_key
from export_pipeline.errors import StoreError
from export_pipeline.ledger import artifacts, events, generations, orders, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import (
    Artifact,
    ArtifactState,
    Event,
    Generation,
    GenerationState,
    Order,
    Scan,
    ScanState,
)
from export_pipeline.receiver.guard import writing
from export_pipeline.vendors.vendor import Availability
from export_pipeline.workflow import describe
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.renew import renew
from export_pipeline.workflow.settle import BROKEN, report


@dataclass(frozen=True)
class Contents:
    """What goes into the bag of a frozen generation, and nothing that came after."""

    scan: Scan
    generation: Generation
    artifacts: Sequence[Artifact]
    orders: Sequence[Order]
    events: Sequence[Event]

    def of(self, state: ArtifactState) -> list[Artifact]:
        """The artifacts that were settled so."""
        return [one for one in self.artifacts if one.state == state]

    @property
    def given_up(self) -> list[Artifact]:
        """What was ordered and settled without it."""
        ordered = (Availability.EXPECTED, Availability.UNKNOWN)
        lost = (*self.of(ArtifactState.MISSING), *self.of(ArtifactState.ABSENT))
        return [one for one in lost if one.availability in ordered]


async def seal(pipeline: Pipeline, scan: Scan, number: int) -> None:
    """Write the bag of a frozen generation and settle the scan; finishes an interrupted seal.

    What came too late, when it was settled as missing or absent already, is deleted: the bag's
    manifest does not name it.

    Raises:
        StoreError: the store failed, or holds another seal; the reconciler tries again.
    """
    contents = await pipeline.ledger.look(_contents, scan, number)
    if contents.generation.state != GenerationState.FROZEN:
        return
    if contents.generation.verdict == BROKEN:
        if await renew(pipeline, scan, contents.generation):
            await seal(pipeline, scan, number)
        return
    payload = [
        PayloadFile(one.name, one.size or 0, one.sha256 or "")
        for one in contents.of(ArtifactState.VERIFIED)
    ]
    prefix = bag_prefix(scan.key, number)
    for one in contents.given_up:
        await pipeline.store.delete(pipeline.key(scan, number, one.name))
    async with writing(pipeline.ledger, pipeline.store, seal_key(prefix)):
        await bag.seal(pipeline.store, prefix, payload, _info(contents), _provenance(contents))
    await pipeline.ledger.apply(_sealed, pipeline, contents)


async def seal_if_possible(pipeline: Pipeline, scan: Scan, number: int) -> None:
    """Seal; where the store fails, note why and leave it to the reconciler."""
    try:
        await seal(pipeline, scan, number)
    except StoreError as error:
        await pipeline.ledger.apply(_not_sealed, scan, str(error))


def _not_sealed(tx: Tx, scan: Scan, reason: str) -> None:
    events.record(tx, scan.id, "not sealed yet", reason=reason)


def _contents(tx: Tx, scan: Scan, number: int) -> Contents:
    generation = generations.get(tx, scan.id, number)
    return Contents(
        scan=registry.by_id(tx, scan.id),
        generation=generation,
        artifacts=artifacts.of_generation(tx, scan.id, number),
        orders=orders.of_scan(tx, scan.id, number),
        events=_until_frozen(events.history(tx, scan.id), number),
    )


def _until_frozen(history: Sequence[Event], number: int) -> list[Event]:
    """The history up to the last freeze of this generation: the same at every try to seal it."""
    frozen = [
        index
        for index, event in enumerate(history)
        if event.event == "frozen" and event.detail.get("generation") == number
    ]
    return list(history[: frozen[-1] + 1]) if frozen else list(history)


def _info(contents: Contents) -> dict[str, str | Sequence[str]]:
    scan, generation = contents.scan, contents.generation
    frozen_at = datetime.fromtimestamp(generation.frozen_at or 0.0, UTC)
    info: dict[str, str | Sequence[str]] = {
        "External-Identifier": scan.scan,
        "Bagging-Date": frozen_at.date().isoformat(),
        "Export-Vendor": scan.vendor,
        "Export-Account": scan.account,
        "Export-Generation": str(generation.number),
        "Export-Verdict": generation.verdict,
        "Export-Sealed-At": frozen_at.isoformat(timespec="seconds"),
    }
    missing = contents.of(ArtifactState.MISSING)
    if missing:
        info["Export-Missing"] = [f"{one.name}: {one.reason}" for one in missing]
    return info


def _provenance(contents: Contents) -> bytes:
    """What was ordered, answered and found: artifacts by name, never by endpoint."""
    scan = contents.scan
    record: dict[str, Any] = {
        "vendor": scan.vendor,
        "account": scan.account,
        "scan": scan.scan,
        "generation": contents.generation.number,
        "verdict": contents.generation.verdict,
        "artifacts": [_artifact(one) for one in contents.artifacts],
        "orders": [_order(one) for one in contents.orders],
        "events": [
            {"at": _instant(one.at), "event": one.event, "order": one.order_id, **one.detail}
            for one in contents.events
        ],
    }
    return (json.dumps(record, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "kind": artifact.kind,
        "vendor_name": artifact.vendor_name,
        "state": artifact.state,
        "reason": artifact.reason,
        "order": artifact.order_id,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "store_checksum": artifact.checksum,
        "verified_at": _instant(artifact.verified_at),
        **(artifact.details or {}),
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "part": order.part,
        "attempt": order.attempt,
        "outcome": order.outcome,
        "reason": order.reason,
        "queue_class": order.queue_class.name.lower(),
        "vendor_order": order.vendor_order,
        "request_id": order.request_id,
        "queued_at": _instant(order.queued_at),
        "sent_at": _instant(order.sent_at),
        "completed_at": _instant(order.completed_at),
        "completion": order.completion,
    }


def _instant(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _sealed(tx: Tx, pipeline: Pipeline, contents: Contents) -> None:
    scan, generation = contents.scan, contents.generation
    if not generations.sealed(tx, scan.id, generation.number):
        return
    if pipeline.vendor.deletes_archived:
        generations.tidy(tx, scan.id, generation.number, tx.now)
    shown = describe.bag(scan, generation, contents.artifacts, sealed_at=tx.now)
    registry.settle(tx, scan.id, ScanState(generation.verdict), shown[1]["reason"])
    events.record(tx, scan.id, "sealed", generation=generation.number, verdict=generation.verdict)
    report(tx, scan, generation.number, describe.BAG, shown)
