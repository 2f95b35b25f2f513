"""A ledger as it is after years: scans in every state, with all rows that lead there."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.orders import NEVER
from export_pipeline.ledger.rows import (
    ArtifactState,
    GenerationState,
    OrderState,
    QueueClass,
    ScanState,
)
from export_pipeline.ledger.schema import (
    artifacts,
    events,
    generations,
    inbox,
    orders,
    reports,
    scans,
)

VENDOR, ACCOUNT = "copyleaks", "default"
KINDS = (
    "results",
    "crawled_version",
    "pdf_report",
    "ai_detection",
    "writing_feedback",
    "overview",
)
ADMITTED = 50_000
"""Most settled scans in Dagster: the default of EXPORT_ACTIVE_SCANS."""
YEAR_SECONDS = 365 * 86_400.0
SCANS_PER_TRANSACTION = 2_000
NEWS = ("registered", "ordered", "sent", "accepted", "completed", "verified", "frozen", "sealed")
# Of each hundred scans in turn, so that every page of a table has some of each.
_STATES = (
    *[ScanState.ARCHIVED] * 74,
    *[ScanState.ORDERED] * 20,
    *[ScanState.PARTIAL] * 2,
    *[ScanState.REGISTERED] * 2,
    ScanState.FAILED,
    ScanState.EXPIRED,
)
SEALED = (ScanState.ARCHIVED, ScanState.PARTIAL)
LOST = (ScanState.PARTIAL, ScanState.FAILED, ScanState.EXPIRED)

Rows = Iterator[tuple[sa.Table, dict[str, Any]]]


def fill(ledger: Ledger, count: int) -> list[str]:
    """Add `count` scans of six artifacts each; return the ids of those that Dagster shows."""
    shown: list[str] = []
    for first in range(0, count, SCANS_PER_TRANSACTION):
        by_table: dict[sa.Table, list[dict[str, Any]]] = {}
        with ledger.write() as tx:
            for number in range(first, min(count, first + SCANS_PER_TRANSACTION)):
                age = YEAR_SECONDS * (1 - number / count)
                for table, row in _scan(number, tx.now - age, is_shown=len(shown) < ADMITTED):
                    by_table.setdefault(table, []).append(row)
                    if row.get("admitted_at"):
                        shown.append(row["scan"])
            for table in (scans, generations, orders, artifacts, events, reports, inbox):
                tx.run(sa.insert(table), by_table.get(table, []))
    return shown


def _scan(number: int, at: float, *, is_shown: bool) -> Rows:
    state, scan_id = _STATES[number * 37 % 100], number + 1
    is_settled = state not in (ScanState.REGISTERED, ScanState.ORDERED)
    yield (
        scans,
        {
            "id": scan_id,
            "vendor": VENDOR,
            "account": ACCOUNT,
            "scan": f"essay-{number:08}",
            "state": state,
            "reason": _reason(number) if state in LOST else "",
            "source": "webhook",
            "details": {"pdf_report": True, "result_ids": ["2a1b402420"], "total_words": 1200},
            "generation": 0 if state == ScanState.REGISTERED else 1,
            "registered_at": at,
            "expires_at": at + YEAR_SECONDS,
            "admitted_at": at if is_shown and is_settled else None,
            "retired_at": None,
            "activate": False,
        },
    )
    yield from _news(number, at, is_settled=is_settled)
    if state != ScanState.REGISTERED:
        yield from _generation(number, state, at)


def _reason(number: int) -> str:
    """As vendors' errors are: no two alike."""
    return f"pdf_report.pdf: copyleaks: the export failed (HTTP status 500, request id {number})"


def _news(number: int, at: float, *, is_settled: bool) -> Rows:
    words = NEWS if is_settled else NEWS[:2]
    for event in words:
        yield events, {"scan_id": number + 1, "at": at, "event": event, "detail": {"generation": 1}}
    for topic in ("scans", "orders") if is_settled else ("scans",):
        yield (
            inbox,
            {
                "vendor": VENDOR,
                "account": ACCOUNT,
                "topic": topic,
                "subject": f"completed/{number}",
                "headers": {"content-type": "application/json"},
                "body": b"x" * 500,
                "state": "handled",
                "received_at": at,
                "handled_at": at,
            },
        )


def _generation(number: int, state: ScanState, at: float) -> Rows:
    scan_id, is_sealed = number + 1, state in SEALED
    yield (
        generations,
        {
            "scan_id": scan_id,
            "number": 1,
            "state": GenerationState.SEALED if is_sealed else GenerationState.OPEN,
            "verdict": state if is_sealed else "",
            "wants_bag": True,
            "files": len(KINDS) if is_sealed else 0,
            "bytes": 320_000 if is_sealed else 0,
            "opened_at": at,
            "frozen_at": at if is_sealed else None,
            "sealed_at": at if is_sealed else None,
        },
    )
    is_open = state == ScanState.ORDERED
    order = f"order-{number:08}"
    yield (
        orders,
        {
            "id": order,
            "scan_id": scan_id,
            "vendor": VENDOR,
            "account": ACCOUNT,
            "generation": 1,
            "part": 0,
            "attempt": 1,
            "state": _order_state(number) if is_open else OrderState.CLOSED,
            "queue_class": QueueClass.BACKLOG if number % 2 else QueueClass.NIGHTLY,
            "queued_at": at,
            "not_before": at + (2 * YEAR_SECONDS if _order_state(number) == "waiting" else 0),
            "expires_at": at + YEAR_SECONDS if number % 3 else NEVER,
            "sent_at": at,
            "deadline": at + 2 * YEAR_SECONDS,
            "completed_at": None if is_open else at,
            "closed_at": None if is_open else at,
            "completion": None if is_open else {"completed": True},
        },
    )
    for kind in KINDS:
        yield artifacts, _artifact(scan_id, kind, order, at, is_sealed=is_sealed)
    if not is_open:
        for asset in ("order", *KINDS, "bag"):
            yield reports, _report(scan_id, asset, at)


def _order_state(number: int) -> OrderState:
    """One of twenty open orders is at the vendor, the others are queued."""
    return OrderState.WAITING if number // 100 % 20 == 0 else OrderState.QUEUED


def _artifact(scan_id: int, kind: str, order: str, at: float, *, is_sealed: bool) -> dict[str, Any]:
    row = {
        "scan_id": scan_id,
        "generation": 1,
        "name": f"{kind}.json",
        "kind": kind,
        "vendor_name": kind,
        "availability": "expected",
        "state": ArtifactState.VERIFIED if is_sealed else ArtifactState.EXPECTED,
        "reason": "",
        "order_id": order,
    }
    facts = {
        "size": 20_000 + scan_id % 1_000,
        "sha256": f"{scan_id:064x}",
        "content_type": "application/json",
        "details": {"checks": {"size": "passed", "sha256": "passed"}, "opened": {"pages": 3}},
        "delivered_at": at,
        "verified_at": at,
    }
    return row | (facts if is_sealed else dict.fromkeys(facts))


def _report(scan_id: int, asset: str, at: float) -> dict[str, Any]:
    return {
        "scan_id": scan_id,
        "vendor": VENDOR,
        "generation": 1,
        "asset": asset,
        "status": "verified",
        "metadata": {"bytes": 20_000, "key": f"copyleaks/default/essay-{scan_id:08}/1/"},
        "created_at": at,
        "reported_at": at,
    }
