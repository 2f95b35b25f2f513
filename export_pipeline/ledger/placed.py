"""Orders that were sent: asked after, looked after, and collected once they ended."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.orders import back_to_queue, move, to_order
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.rows import Order, OrderState
from export_pipeline.ledger.schema import orders


def late(tx: Tx, vendor: str, limit: int, *, is_asked: bool = False) -> list[Order]:
    """Waiting orders whose completion should have come by now; mark them to be looked after.

    Args:
        is_asked: whether the vendor is asked after them, so that only their deadline makes them
            late.
    """
    query = (
        sa.select(orders)
        .where(orders.c.vendor == vendor, _late(tx, is_asked=is_asked))
        .order_by(orders.c.not_before)
        .limit(limit)
    )
    found = [to_order(row) for row in tx.all(query)]
    for order in found:
        move(tx, order.id, OrderState.WAITING, state=OrderState.COMPLETED, lease_until=None)
    return found


def _late(tx: Tx, *, is_asked: bool) -> sa.ColumnElement[bool]:
    ends = orders.c.deadline if is_asked else orders.c.not_before
    return sa.and_(orders.c.state == OrderState.WAITING, ends <= tx.now)


def wait_on(tx: Tx, order_id: str, *, look_after: float) -> None:
    """Go on waiting: the look in the store found it unfinished, and the deadline has not come."""
    move(
        tx,
        order_id,
        OrderState.COMPLETED,
        state=OrderState.WAITING,
        not_before=look_after,
        lease_until=None,
    )


def abandoned(tx: Tx, vendor: str) -> list[Order]:
    """Queue again those orders whose sender died between its note and the vendor's answer."""
    query = sa.select(orders).where(
        orders.c.vendor == vendor,
        orders.c.state == OrderState.SENDING,
        orders.c.lease_until <= tx.now,
    )
    found = [to_order(row) for row in tx.all(query)]
    for order in found:
        back_to_queue(tx, order.id, not_before=tx.now, reason="the sender died while sending")
    return found


def has_stuck(tx: Tx, vendor: str, *, is_asked: bool = False) -> bool:
    """Whether an order waits too long for its completion (see `late`), or its sender died."""
    late_or_abandoned = sa.or_(
        _late(tx, is_asked=is_asked),
        sa.and_(orders.c.state == OrderState.SENDING, orders.c.lease_until <= tx.now),
    )
    query = sa.select(orders.c.id).where(orders.c.vendor == vendor, late_or_abandoned)
    return tx.one_or_none(query.limit(1)) is not None


def take_to_ask(tx: Tx, vendor: str, account: str, *, limit: int, seconds: float) -> list[Order]:
    """Take waiting orders that it is time to ask after; for `seconds` nobody else takes them."""
    taken = [to_order(row) for row in tx.all(_to_ask(vendor, account, tx.now, limit))]
    for order in taken:
        ask_later(tx, order.id, tx.now + seconds)
    return taken


@prepared
def _to_ask(vendor: str, account: str, now: float, limit: int) -> sa.Select[Any]:
    query = sa.select(orders).where(_waiting(vendor, account), orders.c.not_before <= now)
    return query.order_by(orders.c.not_before).limit(limit)


def ask_later(tx: Tx, order_id: str, moment: float) -> None:
    """Ask after a waiting order at `moment`, and not before."""
    move(tx, order_id, OrderState.WAITING, not_before=moment)


def next_to_ask(tx: Tx, vendor: str, account: str) -> float | None:
    """When it is time to ask after the first waiting order, None if none waits."""
    due = tx.execute(_next_to_ask(vendor, account)).scalar_one()
    return None if due is None else float(due)


@prepared
def _next_to_ask(vendor: str, account: str) -> sa.Select[Any]:
    return sa.select(sa.func.min(orders.c.not_before)).where(_waiting(vendor, account))


def _waiting(vendor: str, account: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        orders.c.vendor == vendor,
        orders.c.account == account,
        orders.c.state == OrderState.WAITING,
    )


def take_completed(
    tx: Tx,
    vendor: str,
    owner: str,
    *,
    limit: int,
    seconds: float,
    scan_ids: Sequence[int] | None = None,
) -> list[Order]:
    """Lease completed orders for collecting, oldest first, of some scans or of all."""
    query = (
        sa.select(orders)
        .where(orders.c.vendor == vendor, orders.c.state == OrderState.COMPLETED, _free(tx))
        .order_by(sa.func.coalesce(orders.c.completed_at, orders.c.not_before))
        .limit(limit)
    )
    if scan_ids is not None:
        query = query.where(orders.c.scan_id.in_(scan_ids))
    taken = [to_order(row) for row in tx.all(query)]
    tx.run(
        sa.update(orders)
        .where(orders.c.id.in_([order.id for order in taken]))
        .values(lease_owner=owner, lease_until=tx.now + seconds)
    )
    return taken


def release(tx: Tx, order_id: str) -> None:
    """Give a completed order back, for whoever collects next."""
    tx.run(sa.update(orders).where(orders.c.id == order_id).values(lease_until=None))


def has_completed(tx: Tx, vendor: str) -> bool:
    """Whether an order waits to be collected that nobody is collecting."""
    query = sa.select(orders.c.id).where(
        orders.c.vendor == vendor, orders.c.state == OrderState.COMPLETED, _free(tx)
    )
    return tx.one_or_none(query.limit(1)) is not None


def _free(tx: Tx) -> sa.ColumnElement[bool]:
    return sa.or_(orders.c.lease_until.is_(None), orders.c.lease_until <= tx.now)
