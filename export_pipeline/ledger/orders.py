"""Orders in the ledger: one row each, every transition a statement that names the state before."""

from collections.abc import Sequence
from dataclasses import fields
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Order, OrderState, Outcome, QueueClass, Scan
from export_pipeline.ledger.schema import orders
from export_pipeline.scans import ScanKey

ID_CHARACTERS = 32
"""Length of an order id: within Copyleaks's 3 to 36 (seed 000), with 128 bits of the hash."""
NEVER = 253_402_300_800.0
"""`expires_at` of a scan whose end is unknown: the year 10000, so that it sorts last."""
OPEN = tuple(state for state in OrderState if state != OrderState.CLOSED)
"""Named one by one, an index leads to them; `!= CLOSED` reads every order that there ever was."""


def derive_id(key: ScanKey, generation: int, part: int, attempt: int) -> str:
    """The order's id, the same whenever it is derived: a repeat after a crash is the same order."""
    name = "\0".join([key.vendor, key.account, key.scan, str(generation), str(part), str(attempt)])
    return sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:ID_CHARACTERS]


def insert(tx: Tx, scan: Scan, *, generation: int, attempt: int, queue_class: QueueClass) -> str:
    """Queue a new order of the generation, as the next part of this attempt; return its id."""
    query = sa.select(sa.func.count()).where(
        orders.c.scan_id == scan.id,
        orders.c.generation == generation,
        orders.c.attempt == attempt,
    )
    part = int(tx.connection.execute(query).scalar_one())
    order_id = derive_id(scan.key, generation, part, attempt)
    tx.run(
        sa.insert(orders).values(
            id=order_id,
            scan_id=scan.id,
            vendor=scan.vendor,
            account=scan.account,
            generation=generation,
            part=part,
            attempt=attempt,
            state=OrderState.QUEUED,
            outcome="",
            reason="",
            queue_class=queue_class,
            sends=0,
            queued_at=tx.now,
            not_before=tx.now,
            expires_at=NEVER if scan.expires_at is None else scan.expires_at,
        )
    )
    return order_id


def get(tx: Tx, order_id: str) -> Order | None:
    """The order, None if the ledger does not have it."""
    row = tx.one_or_none(sa.select(orders).where(orders.c.id == order_id))
    return None if row is None else to_order(row)


def of_scan(tx: Tx, scan_id: int, generation: int | None = None) -> list[Order]:
    """A scan's orders, oldest first, of one generation or of all."""
    query = sa.select(orders).where(orders.c.scan_id == scan_id)
    if generation is not None:
        query = query.where(orders.c.generation == generation)
    rows = tx.all(query.order_by(orders.c.generation, orders.c.attempt, orders.c.part))
    return [to_order(row) for row in rows]


def next_in_queue(tx: Tx, vendor: str, account: str, *, backlog_turn: bool) -> Order | None:
    """The order to send now: by class, then soonest to expire; on its turn the backlog first."""
    ready = sa.select(orders).where(
        orders.c.vendor == vendor,
        orders.c.account == account,
        orders.c.state == OrderState.QUEUED,
        orders.c.not_before <= tx.now,
    )
    by_turn = ready.order_by(orders.c.queue_class, orders.c.expires_at, orders.c.queued_at)
    picks = [by_turn]
    if backlog_turn:
        picks.insert(0, by_turn.where(orders.c.queue_class == QueueClass.BACKLOG))
    for pick in picks:
        row = tx.one_or_none(pick.limit(1))
        if row is not None:
            return to_order(row)
    return None


def earliest_due(tx: Tx, vendor: str, account: str) -> float | None:
    """When an order may be sent, now or at the earliest later; None with an empty queue."""
    queued = sa.and_(
        orders.c.vendor == vendor,
        orders.c.account == account,
        orders.c.state == OrderState.QUEUED,
    )
    # The least of all would be looked for in the whole queue, which has 100,000 after a bad night.
    ready = sa.select(orders.c.not_before).where(queued, orders.c.not_before <= tx.now)
    row = tx.one_or_none(ready.limit(1))
    if row is not None:
        return float(row.not_before)
    later = sa.select(sa.func.min(orders.c.not_before)).where(queued)
    due = tx.connection.execute(later).scalar_one()
    return None if due is None else float(due)


def queued_elsewhere(tx: Tx, vendor: str, accounts: Sequence[str]) -> str | None:
    """An account with queued orders that is none of `accounts`, so that nobody sends them."""
    query = sa.select(orders.c.account).where(
        orders.c.vendor == vendor,
        orders.c.state == OrderState.QUEUED,
        orders.c.account.not_in(accounts),
    )
    row = tx.one_or_none(query.limit(1))
    return None if row is None else str(row.account)


def sending(tx: Tx, order: Order, owner: str, *, seconds: float, deadline: float) -> bool:
    """Note, before the call, that `owner` sends this order within `seconds`.

    The deadline stands from the first send: sending again does not move it. False if the order
    left the queue meanwhile: then it is not to be sent.
    """
    return _move(
        tx,
        order.id,
        OrderState.QUEUED,
        state=OrderState.SENDING,
        sends=orders.c.sends + 1,
        sent_at=tx.now,
        deadline=sa.func.coalesce(orders.c.deadline, deadline),
        lease_owner=owner,
        lease_until=tx.now + seconds,
    )


def accepted(
    tx: Tx, order_id: str, *, request_id: str | None, vendor_order: str | None, look_after: float
) -> None:
    """Note the vendor's acceptance; without a completion, look in the store at `look_after`.

    A completion may have come first: then only the names are added. The answer may have come so
    late that the order was queued again: then it need not be sent again.
    """
    names = {"request_id": request_id, "vendor_order": vendor_order}
    waiting = {**names, "state": OrderState.WAITING, "not_before": look_after}
    sent = (OrderState.SENDING, OrderState.QUEUED)
    if not _move(tx, order_id, *sent, **waiting, lease_until=None):
        # A closed order stands in a bag's provenance, which must be the same at every try to seal.
        unclosed = sa.and_(orders.c.id == order_id, orders.c.state != OrderState.CLOSED)
        tx.run(sa.update(orders).where(unclosed).values(**names))


def back_to_queue(
    tx: Tx, order_id: str, *, not_before: float, reason: str, restart: bool = False
) -> None:
    """Queue an order whose send failed for a passing reason; the id stays the same.

    Args:
        restart: whether its deadline counts from the next send, as this one was none of its own.
    """
    anew: dict[str, Any] = {"deadline": None} if restart else {}
    _move(
        tx,
        order_id,
        OrderState.SENDING,
        state=OrderState.QUEUED,
        not_before=not_before,
        reason=reason,
        lease_until=None,
        **anew,
    )


def completed(tx: Tx, order_id: str, completion: dict[str, Any]) -> bool:
    """Note the vendor's word that the order ended; False if it was noted or closed before."""
    word = {"completion": completion, "completed_at": tx.now}
    ended = {**word, "state": OrderState.COMPLETED, "lease_until": None}
    under_way = (OrderState.QUEUED, OrderState.SENDING, OrderState.WAITING)
    if _move(tx, order_id, *under_way, **ended):
        return True
    # `late` may have marked it without a word: whoever looks after it keeps the lease.
    unspoken = sa.update(orders).where(
        orders.c.id == order_id,
        orders.c.state == OrderState.COMPLETED,
        orders.c.completion.is_(sa.null()),
    )
    return tx.run(unspoken.values(**word)) == 1


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
        _move(tx, order.id, OrderState.WAITING, state=OrderState.COMPLETED, lease_until=None)
    return found


def wait_on(tx: Tx, order_id: str, *, look_after: float) -> None:
    """Go on waiting: the look in the store found it unfinished, and the deadline has not come."""
    _move(
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


def hold(tx: Tx, order_id: str, owner: str, *, seconds: float) -> bool:
    """Lengthen the lease of an order that is being collected; False if it is not this owner's."""
    held = sa.update(orders).where(
        orders.c.id == order_id,
        orders.c.state == OrderState.COMPLETED,
        orders.c.lease_owner == owner,
    )
    return tx.run(held.values(lease_until=tx.now + seconds)) == 1


def release(tx: Tx, order_id: str) -> None:
    """Give a completed order back, for whoever collects next."""
    tx.run(sa.update(orders).where(orders.c.id == order_id).values(lease_until=None))


def close(tx: Tx, order_id: str, outcome: Outcome, reason: str = "") -> bool:
    """Close the order for good; False if it was closed before."""
    change = sa.update(orders).where(orders.c.id == order_id, orders.c.state != OrderState.CLOSED)
    values = {"state": OrderState.CLOSED, "outcome": outcome, "reason": reason}
    return tx.run(change.values(closed_at=tx.now, lease_until=None, **values)) == 1


def promote(tx: Tx, scan_id: int, queue_class: QueueClass) -> None:
    """Move a scan's queued orders forward to a class that goes before theirs."""
    tx.run(
        sa.update(orders)
        .where(
            orders.c.scan_id == scan_id,
            orders.c.state == OrderState.QUEUED,
            orders.c.queue_class > queue_class,
        )
        .values(queue_class=queue_class)
    )


def has_completed(tx: Tx, vendor: str) -> bool:
    """Whether an order waits to be collected that nobody is collecting."""
    query = sa.select(orders.c.id).where(
        orders.c.vendor == vendor, orders.c.state == OrderState.COMPLETED, _free(tx)
    )
    return tx.one_or_none(query.limit(1)) is not None


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
    query = (
        sa.select(orders)
        .where(_waiting(vendor, account), orders.c.not_before <= tx.now)
        .order_by(orders.c.not_before)
        .limit(limit)
    )
    taken = [to_order(row) for row in tx.all(query)]
    for order in taken:
        ask_later(tx, order.id, tx.now + seconds)
    return taken


def ask_later(tx: Tx, order_id: str, moment: float) -> None:
    """Ask after a waiting order at `moment`, and not before."""
    _move(tx, order_id, OrderState.WAITING, not_before=moment)


def next_to_ask(tx: Tx, vendor: str, account: str) -> float | None:
    """When it is time to ask after the first waiting order, None if none waits."""
    query = sa.select(sa.func.min(orders.c.not_before)).where(_waiting(vendor, account))
    due = tx.connection.execute(query).scalar_one()
    return None if due is None else float(due)


def count_queued(tx: Tx, vendor: str, queue_class: QueueClass) -> int:
    """How many orders of one class wait in the queue."""
    query = sa.select(sa.func.count()).where(
        orders.c.vendor == vendor,
        orders.c.state == OrderState.QUEUED,
        orders.c.queue_class == queue_class,
    )
    return int(tx.connection.execute(query).scalar_one())


def count_by_state(tx: Tx, vendor: str | None = None) -> dict[str, int]:
    """How many orders stand where."""
    query = sa.select(orders.c.state, sa.func.count()).group_by(orders.c.state)
    if vendor is not None:
        query = query.where(orders.c.vendor == vendor)
    return {str(state): int(count) for state, count in tx.all(query)}


def _waiting(vendor: str, account: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        orders.c.vendor == vendor,
        orders.c.account == account,
        orders.c.state == OrderState.WAITING,
    )


def _late(tx: Tx, *, is_asked: bool) -> sa.ColumnElement[bool]:
    ends = orders.c.deadline if is_asked else orders.c.not_before
    return sa.and_(orders.c.state == OrderState.WAITING, ends <= tx.now)


def _free(tx: Tx) -> sa.ColumnElement[bool]:
    return sa.or_(orders.c.lease_until.is_(None), orders.c.lease_until <= tx.now)


def _move(tx: Tx, order_id: str, *before: OrderState, **values: Any) -> bool:
    change = sa.update(orders).where(orders.c.id == order_id, orders.c.state.in_(before))
    return tx.run(change.values(**values)) == 1


def to_order(row: sa.Row[Any]) -> Order:
    """Read a row of the orders table."""
    values = {field.name: getattr(row, field.name) for field in fields(Order)}
    values["state"] = OrderState(row.state)
    values["queue_class"] = QueueClass(row.queue_class)
    return Order(**values)
