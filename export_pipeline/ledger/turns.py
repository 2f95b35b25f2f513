"""Orders that wait for their turn to be sent."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.orders import to_order
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.rows import Order, OrderState, QueueClass
from export_pipeline.ledger.schema import orders


def next_in_queue(tx: Tx, vendor: str, account: str, *, backlog_turn: bool) -> Order | None:
    """The order to send now: by class, then soonest to expire; on its turn the backlog first."""
    row = tx.one_or_none(_first_of_backlog(vendor, account, tx.now)) if backlog_turn else None
    if row is None:
        row = tx.one_or_none(_first_in_queue(vendor, account, tx.now))
    return None if row is None else to_order(row)


@prepared
def _first_in_queue(vendor: str, account: str, now: float) -> sa.Select[Any]:
    return _by_turn(vendor, account, now).limit(1)


@prepared
def _first_of_backlog(vendor: str, account: str, now: float) -> sa.Select[Any]:
    backlog = _by_turn(vendor, account, now).where(orders.c.queue_class == QueueClass.BACKLOG)
    return backlog.limit(1)


def _by_turn(vendor: str, account: str, now: float) -> sa.Select[Any]:
    ready = sa.select(orders).where(_queued(vendor, account), orders.c.not_before <= now)
    return ready.order_by(orders.c.queue_class, orders.c.expires_at, orders.c.queued_at)


def earliest_due(tx: Tx, vendor: str, account: str) -> float | None:
    """When an order may be sent, now or at the earliest later; None with an empty queue."""
    # The least of all would be looked for in the whole queue, which has 100,000 after a bad night.
    row = tx.one_or_none(_ready(vendor, account, tx.now))
    if row is not None:
        return float(row.not_before)
    due = tx.execute(_earliest(vendor, account)).scalar_one()
    return None if due is None else float(due)


@prepared
def _ready(vendor: str, account: str, now: float) -> sa.Select[Any]:
    queued = _queued(vendor, account)
    return sa.select(orders.c.not_before).where(queued, orders.c.not_before <= now).limit(1)


@prepared
def _earliest(vendor: str, account: str) -> sa.Select[Any]:
    return sa.select(sa.func.min(orders.c.not_before)).where(_queued(vendor, account))


def queued_elsewhere(tx: Tx, vendor: str, accounts: Sequence[str]) -> str | None:
    """An account with queued orders that is none of `accounts`, so that nobody sends them."""
    query = sa.select(orders.c.account).where(
        orders.c.vendor == vendor,
        orders.c.state == OrderState.QUEUED,
        orders.c.account.not_in(accounts),
    )
    row = tx.one_or_none(query.limit(1))
    return None if row is None else str(row.account)


def promote(tx: Tx, scan_id: int, queue_class: QueueClass) -> None:
    """Move a scan's queued orders forward to a class that goes before theirs."""
    tx.run(_promote(scan_id, queue_class))


@prepared
def _promote(scan_id: int, queue_class: QueueClass) -> sa.Update:
    later = sa.update(orders).where(
        orders.c.scan_id == scan_id,
        orders.c.state == OrderState.QUEUED,
        orders.c.queue_class > queue_class,
    )
    return later.values(queue_class=queue_class)


def count_queued(tx: Tx, vendor: str, queue_class: QueueClass) -> int:
    """How many orders of one class wait in the queue."""
    query = sa.select(sa.func.count()).where(
        orders.c.vendor == vendor,
        orders.c.state == OrderState.QUEUED,
        orders.c.queue_class == queue_class,
    )
    return int(tx.connection.execute(query).scalar_one())


def _queued(vendor: str, account: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        orders.c.vendor == vendor,
        orders.c.account == account,
        orders.c.state == OrderState.QUEUED,
    )
