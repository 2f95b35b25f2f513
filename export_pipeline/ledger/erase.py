"""Erase: take a scan with all that belongs to it out of the ledger, once nobody works on it."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger import leases as lease_rows
from export_pipeline.ledger import orders as order_rows
from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.rows import (
    ArtifactState,
    GenerationState,
    OrderState,
    Outcome,
    Scan,
    ScanState,
)
from export_pipeline.ledger.schema import (
    alerts,
    artifacts,
    events,
    generations,
    inbox,
    leases,
    orders,
    reports,
    scans,
    tokens,
)
from export_pipeline.scans import ScanKey, escape

REASON = "it is being forgotten"
SEALING_SECONDS = 60.0
"""A generation that was frozen so recently may be being renewed, which no lease tells."""
LETTERS_PER_PAGE = 100
"""Webhooks whose bodies are in memory at one time."""
_LEASES = {
    lease_rows.SEALING: "its bag is being sealed",
    lease_rows.WRITING: "a file of it is being written",
}
_WORK = {OrderState.SENDING: "sent", OrderState.COMPLETED: "collected"}


def at_work(tx: Tx, scan: Scan, folder: str) -> str:
    """What somebody does with the scan right now, in words; "" if nobody does anything.

    Args:
        folder: of its bags in the store.
    """
    held = [order for order in order_rows.of_scan(tx, scan.id) if order.state in _WORK]
    for order in held:
        if _is_held(tx, orders, orders.c.id == order.id):
            return f"its order {order.id} is being {_WORK[order.state]}"
    sealing = sa.and_(
        generations.c.scan_id == scan.id,
        generations.c.state == GenerationState.FROZEN,
        generations.c.frozen_at > tx.now - SEALING_SECONDS,
    )
    if tx.one_or_none(sa.select(generations.c.number).where(sealing)) is not None:
        return "its bag is being sealed"
    if _is_held(
        tx, reports, sa.and_(reports.c.scan_id == scan.id, reports.c.reported_at.is_(None))
    ):
        return "it is being shown in Dagster"
    for kind, words in _LEASES.items():
        if lease_rows.held_now(tx, kind + folder) is not None:
            return words
    return ""


def _is_held(tx: Tx, table: sa.Table, condition: sa.ColumnElement[bool]) -> bool:
    held = sa.select(table.c.id).where(condition, table.c.lease_until > tx.now)
    return tx.one_or_none(held.limit(1)) is not None


def stop(tx: Tx, scan: Scan) -> None:
    """Take the scan out of the queue and of everybody's hands; nothing goes on with it.

    Its sealed generations count as abandoned: no catalog names them and no audit misses them.
    """
    for order in order_rows.of_scan(tx, scan.id):
        order_rows.close(tx, order.id, Outcome.REFUSED, REASON)
    tx.run(
        sa.update(artifacts)
        .where(artifacts.c.scan_id == scan.id, artifacts.c.state == ArtifactState.EXPECTED)
        .values(state=ArtifactState.MISSING, reason=REASON)
    )
    tx.run(
        sa.update(generations)
        .where(generations.c.scan_id == scan.id)
        .values(state=GenerationState.ABANDONED, tidy_at=None)
    )
    tx.run(sa.delete(reports).where(reports.c.scan_id == scan.id))
    tx.run(
        sa.update(scans)
        .where(scans.c.id == scan.id)
        .values(state=ScanState.FORGOTTEN, reason=REASON, activate=False)
    )


def erase(tx: Tx, scan: Scan, folder: str) -> None:
    """Delete every row of the scan and of its orders; what its webhooks said goes first.

    Args:
        folder: of its bags in the store.
    """
    ids = [order.id for order in order_rows.of_scan(tx, scan.id)]
    for some in in_chunks(ids):
        secrets = [f"{kind}/{one}" for one in some for kind in ("link", "token")]
        tx.run(sa.delete(inbox).where(inbox.c.vendor == scan.vendor, inbox.c.subject.in_(some)))
        tx.run(sa.delete(tokens).where(tokens.c.vendor == scan.vendor, tokens.c.name.in_(secrets)))
    for table in (events, reports, artifacts, orders, generations):
        tx.run(sa.delete(table).where(table.c.scan_id == scan.id))
    tx.run(sa.delete(scans).where(scans.c.id == scan.id))
    for kind in _LEASES:
        tx.run(sa.delete(leases).where(lease_rows.begins(kind + folder)))
    names = "|".join(map(re.escape, (scan.scan, escape(scan.scan))))
    names_it = re.compile(rf"(?<![\w-])(?:{names})(?![\w-])")
    causes = [
        row.cause
        for row in tx.all(sa.select(alerts))
        if any(map(names_it.search, (row.reason, row.command, *row.names)))
    ]
    tx.run(sa.delete(alerts).where(alerts.c.cause.in_(causes)))


def erase_letters(tx: Tx, keys: Collection[ScanKey], folders: Sequence[str], after: int) -> int:
    """Delete those of the next webhooks whose bodies name one of the scans, all of one account.

    Args:
        folders: of the scans' bags, as upload URLs in a body name them.
        after: id of the last one looked at.

    Returns:
        The id of the last one looked at now; `after` if there are no more.
    """
    vendor, account = next((key.vendor, key.account) for key in keys)
    query = (
        sa.select(inbox.c.id, inbox.c.body)
        .where(
            inbox.c.vendor == vendor,
            inbox.c.account == account,
            inbox.c.state != "new",  # perhaps about another scan, that names this one
            inbox.c.id > after,
        )
        .order_by(inbox.c.id)
        .limit(LETTERS_PER_PAGE)
    )
    page = tx.all(query)
    wanted = {key.scan for key in keys}
    gone = [row.id for row in page if names_any(row.body, wanted, folders)]
    for some in in_chunks(gone):
        tx.run(sa.delete(inbox).where(inbox.c.id.in_(some)))
    return page[-1].id if page else after


def names_any(body: bytes, scans: Collection[str], folders: Sequence[str]) -> bool:
    """Whether a JSON body has one of the scans' ids as a text of its own, or a folder in one."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return any(
        text in scans or any(folder in text for folder in folders) for text in _texts(content)
    )


def _texts(content: Any) -> Iterator[str]:
    """Every text in a JSON value, names of members too."""
    pending = [content]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            pending += [*value, *value.values()]
        elif isinstance(value, list):
            pending += value
