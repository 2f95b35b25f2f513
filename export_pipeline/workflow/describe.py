"""What there is to show of a scan's assets, from the ledger as it stands."""

from collections.abc import Sequence
from typing import Any

from export_pipeline.archive.layout import bag_prefix, payload_key
from export_pipeline.ledger import artifacts, generations, orders, reports
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import (
    Artifact,
    ArtifactState,
    Generation,
    GenerationState,
    Order,
    Scan,
)
from export_pipeline.workflow.queue import ORDER

BAG = "bag"
"""The asset that stands for a scan's sealed generation."""
REASONS_SHOWN = 5

Shown = tuple[str, dict[str, Any]]
"""The status of an asset and the metadata to show with it."""


def describe(tx: Tx, scan: Scan, asset: str) -> Shown | None:
    """What to show of one asset of the scan; None while it is not settled."""
    if asset == ORDER:
        return _order(orders.of_scan(tx, scan.id, scan.generation))
    if asset == BAG:
        generation = generations.current(tx, scan)
        return _bag(tx, scan, generation) if generation is not None else None
    files = [
        one for one in artifacts.of_generation(tx, scan.id, scan.generation) if one.kind == asset
    ]
    if not files or any(one.state == ArtifactState.EXPECTED for one in files):
        return None
    return kind(tx, scan, scan.generation, asset, files)


def _order(placed: Sequence[Order]) -> Shown | None:
    if not placed:
        return None
    facts = {
        "orders": [order.id for order in placed],
        "queue_class": placed[0].queue_class.name.lower(),
        "attempts": max(order.attempt for order in placed),
    }
    return placed[-1].state, facts


def _bag(tx: Tx, scan: Scan, generation: Generation) -> Shown | None:
    if generation.state != GenerationState.SEALED:
        return None
    every = artifacts.of_generation(tx, scan.id, generation.number)
    return bag(scan, generation, every, sealed_at=generation.sealed_at or tx.now)


def bag(
    scan: Scan, generation: Generation, every: Sequence[Artifact], *, sealed_at: float
) -> Shown:
    """What to show of a sealed generation."""
    missing = [one for one in every if one.state == ArtifactState.MISSING]
    facts = {
        "reason": "; ".join(f"{one.name}: {one.reason}" for one in missing[:REASONS_SHOWN]),
        "files": generation.files,
        "bytes": generation.bytes,
        "missing": len(missing),
        "key": bag_prefix(scan.key, generation.number),
        "seconds_since_registered": round(sealed_at - scan.registered_at, 3),
    }
    return generation.verdict, facts


def kind(tx: Tx, scan: Scan, generation: int, name: str, files: Sequence[Artifact]) -> Shown:
    """What to show of one kind of which every file is settled."""
    lost = [one for one in files if one.state == ArtifactState.MISSING]
    kept = [one for one in files if one.state == ArtifactState.VERIFIED]
    single = kept[0] if len(kept) == 1 else None
    reasons = list(dict.fromkeys(one.reason for one in files if one.reason))
    facts = {
        "reason": "; ".join(reasons[:REASONS_SHOWN]),
        "files": len(kept),
        "missing": len(lost),
        "bytes": sum(one.size or 0 for one in kept),
        "sha256": single.sha256 if single else None,
        "content_type": kept[0].content_type if kept else None,
        "key": payload_key(bag_prefix(scan.key, generation), single.name if single else name)
        if kept
        else None,
        "orders": sorted({one.order_id for one in kept if one.order_id}),
        "checks": _checks(kept),
        "opened": (single.details or {}).get("opened", {}) if single else {},
        **_durations(tx, kept),
    }
    return reports.FAILED if lost else "verified" if kept else "absent", facts


def _checks(kept: Sequence[Artifact]) -> dict[str, str]:
    """The verdict of each check over all files: `passed` if all did, else the first other word."""
    verdicts: dict[str, str] = {}
    for one in kept:
        for check, verdict in (one.details or {}).get("checks", {}).items():
            if verdicts.get(check, "passed") == "passed":
                verdicts[check] = verdict
    return verdicts


def _durations(tx: Tx, kept: Sequence[Artifact]) -> dict[str, float]:
    order = orders.get(tx, kept[0].order_id) if kept and kept[0].order_id else None
    verified_at = max((one.verified_at or 0.0 for one in kept), default=0.0)
    if order is None or order.sent_at is None:
        return {}
    ended_at = order.completed_at or verified_at
    return {
        "seconds_in_queue": round(order.sent_at - order.queued_at, 3),
        "seconds_at_vendor": round(ended_at - order.sent_at, 3),
        "seconds_to_verify": round(max(0.0, verified_at - ended_at), 3),
    }
