"""Admission: which scans get a partition key in Dagster, each in its turn."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.orders import NEVER, OPEN
from export_pipeline.ledger.registry import by_ids
from export_pipeline.ledger.rows import QueueClass, Scan, ScanState
from export_pipeline.ledger.schema import orders, scans


def activate(tx: Tx, scan_id: int) -> None:
    """Ask that the scan's partition is added at the next tick; one that is there stays anew."""
    asked = sa.update(scans).where(scans.c.id == scan_id)
    tx.run(asked.where(scans.c.admitted_at.is_(None)).values(activate=True))
    tx.run(asked.where(scans.c.admitted_at.is_not(None)).values(admitted_at=tx.now))


def admit(tx: Tx, vendor: str, *, active_limit: int, chunk: int) -> list[Scan]:
    """Choose up to `chunk` scans for a partition key and mark them admitted.

    Those asked for by `activate` and those ordered by hand go first and ignore the limit; others
    as long as fewer than `active_limit` are admitted: ordered ones as the queue has them, then
    registered ones, soonest to expire first.
    """
    is_urgent = sa.or_(scans.c.activate, scans.c.id.in_(_ordered_by_hand(vendor)))
    waiting = sa.select(scans.c.id).where(_waiting(vendor))
    chosen = _ids(tx, waiting.where(is_urgent).order_by(scans.c.id).limit(chunk))
    room = min(chunk - len(chosen), active_limit - count_active(tx, vendor) - len(chosen))
    if room > 0:
        others = waiting.where(scans.c.id.not_in(chosen))
        chosen += _ids(tx, _by_turn(others, vendor).limit(room))
    mark_admitted(tx, chosen)
    found = {scan.id: scan for scan in by_ids(tx, chosen)}
    return [found[scan_id] for scan_id in chosen]


def _ids(tx: Tx, query: sa.Select[Any]) -> list[int]:
    return [row.id for row in tx.all(query)]


def _ordered_by_hand(vendor: str) -> sa.Select[Any]:
    open_orders = sa.select(orders.c.scan_id).where(_is_open(vendor))
    return open_orders.where(orders.c.queue_class == QueueClass.HAND)


def _by_turn(waiting: sa.Select[Any], vendor: str) -> sa.Select[Any]:
    turns = (
        sa.select(
            orders.c.scan_id,
            sa.func.min(orders.c.queue_class).label("queue_class"),
            sa.func.min(orders.c.expires_at).label("expires_at"),
        )
        .where(_is_open(vendor))
        .group_by(orders.c.scan_id)
        .subquery()
    )
    return waiting.outerjoin_from(scans, turns, turns.c.scan_id == scans.c.id).order_by(
        scans.c.state != ScanState.ORDERED,
        sa.func.coalesce(turns.c.queue_class, QueueClass.HAND),  # all came: it is to be sealed
        sa.func.coalesce(turns.c.expires_at, scans.c.expires_at, NEVER),
        scans.c.id,
    )


def _is_open(vendor: str) -> sa.ColumnElement[bool]:
    return sa.and_(orders.c.vendor == vendor, orders.c.state.in_(OPEN))


def mark_admitted(tx: Tx, scan_ids: Sequence[int]) -> None:
    """Note that these scans have a partition key now."""
    for ids in in_chunks(scan_ids):
        tx.run(
            sa.update(scans)
            .where(scans.c.id.in_(ids))
            .values(admitted_at=tx.now, activate=False, retired_at=None)
        )


def _waiting(vendor: str) -> sa.ColumnElement[bool]:
    never_shown = sa.and_(scans.c.retired_at.is_(None), scans.c.state == ScanState.REGISTERED)
    wanted = sa.or_(scans.c.activate, scans.c.state == ScanState.ORDERED, never_shown)
    return sa.and_(scans.c.vendor == vendor, scans.c.admitted_at.is_(None), wanted)


def count_waiting(tx: Tx, vendor: str, limit: int) -> int:
    """How many scans wait for a partition key; counted up to `limit`."""
    some = sa.select(scans.c.id).where(_waiting(vendor)).limit(limit).subquery()
    return int(tx.connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def count_active(tx: Tx, vendor: str) -> int:
    """How many scans have a partition key."""
    query = sa.select(sa.func.count()).where(
        scans.c.vendor == vendor, scans.c.admitted_at.is_not(None)
    )
    return int(tx.connection.execute(query).scalar_one())
