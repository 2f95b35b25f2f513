"""Orders in the ledger: one row each, every transition a statement that names the state before."""

from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.reading import reader
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
    part = int(tx.execute(_parts(scan.id, generation, attempt)).scalar_one())
    order_id = derive_id(scan.key, generation, part, attempt)
    tx.run(
        _insert(
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
            tries=0,
            sends=0,
            queued_at=tx.now,
            not_before=tx.now,
            expires_at=NEVER if scan.expires_at is None else scan.expires_at,
        )
    )
    return order_id


@prepared
def _parts(scan_id: int, generation: int, attempt: int) -> sa.Select[Any]:
    return sa.select(sa.func.count()).where(
        orders.c.scan_id == scan_id,
        orders.c.generation == generation,
        orders.c.attempt == attempt,
    )


@prepared
def _insert(**values: Any) -> sa.Insert:
    return sa.insert(orders).values(**values)


def get(tx: Tx, order_id: str) -> Order | None:
    """The order, None if the ledger does not have it."""
    row = tx.one_or_none(_get(order_id))
    return None if row is None else to_order(row)


@prepared
def _get(order_id: str) -> sa.Select[Any]:
    return sa.select(orders).where(orders.c.id == order_id)


def of_scan(tx: Tx, scan_id: int, generation: int | None = None) -> list[Order]:
    """A scan's orders, oldest first, of one generation or of all."""
    every = map(to_order, tx.all(_of_scan(scan_id)))
    return [order for order in every if generation in (None, order.generation)]


@prepared
def _of_scan(scan_id: int) -> sa.Select[Any]:
    query = sa.select(orders).where(orders.c.scan_id == scan_id)
    return query.order_by(orders.c.generation, orders.c.attempt, orders.c.part)


def sending(tx: Tx, order: Order, owner: str, *, seconds: float, deadline: float) -> int | None:
    """Note that `owner` has the order's turn, and sends it within `seconds`.

    The deadline stands from the first turn: a later one does not move it.

    Returns:
        How often its turn came, this one included: by that number the turn is told from a later
        one, of the same process too. None if the order left the queue meanwhile: then it is not
        to be sent.
    """
    if tx.run(_sending(order.id, owner, tx.now, tx.now + seconds, deadline)) == 0:
        return None
    return int(tx.execute(_tries(order.id)).scalar_one())


@prepared
def _sending(
    order_id: str, owner: str, now: float, lease_until: float, deadline: float
) -> sa.Update:
    return _transition(order_id, OrderState.QUEUED).values(
        state=OrderState.SENDING,
        tries=orders.c.tries + 1,
        sent_at=now,
        deadline=sa.func.coalesce(orders.c.deadline, deadline),
        lease_owner=owner,
        lease_until=lease_until,
    )


@prepared
def _tries(order_id: str) -> sa.Select[Any]:
    return sa.select(orders.c.tries).where(orders.c.id == order_id)


def leaves(tx: Tx, order_id: str, tries: int) -> bool:
    """Note that the request leaves now; False if it is not for this turn to send it any more."""
    return tx.run(_leaves(order_id, tries)) == 1


@prepared
def _leaves(order_id: str, tries: int) -> sa.Update:
    sent = _transition(order_id, OrderState.SENDING).where(orders.c.tries == tries)
    return sent.values(sends=orders.c.sends + 1)


def renew(tx: Tx, order: Order, owner: str, *, seconds: float, tries: int | None = None) -> bool:
    """Lengthen the lease of an order that is sent or collected; False if it is not any more.

    Args:
        tries: the turn in which it is sent; None while it is collected.
    """
    turn = {} if tries is None else {"tries": tries}
    return tx.run(_renew(order.id, order.state, owner, tx.now + seconds, **turn)) == 1


@prepared
def _renew(order_id: str, state: OrderState, owner: str, until: float, **turn: int) -> sa.Update:
    ours = _transition(order_id, state).where(orders.c.lease_owner == owner).filter_by(**turn)
    return ours.values(lease_until=until)


def of_turn(tx: Tx, order_id: str, tries: int, *states: OrderState) -> Order | None:
    """The order if it stands in one of the states, and no later turn took it over."""
    row = tx.one_or_none(_of_turn(order_id, tries, *states))
    return None if row is None else to_order(row)


@prepared
def _of_turn(order_id: str, tries: int, *states: OrderState) -> sa.Select[Any]:
    query = sa.select(orders).where(orders.c.id == order_id, orders.c.tries == tries)
    return query.where(orders.c.state.in_(states))


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
    if not move(tx, order_id, *sent, **waiting, lease_until=None):
        # A closed order stands in a bag's provenance, which must be the same at every try to seal.
        move(tx, order_id, *OPEN, **names)


def back_to_queue(
    tx: Tx,
    order_id: str,
    *,
    not_before: float,
    reason: str,
    restart: bool = False,
    sends: int | None = None,
) -> None:
    """Queue an order whose send failed for a passing reason; the id stays the same.

    Args:
        restart: whether its deadline counts from the next turn, as this one was none of its own.
        sends: how often it may have left us, where that is known better than it was noted.
    """
    anew: dict[str, Any] = {"deadline": None} if restart else {}
    anew |= {} if sends is None else {"sends": sends}
    move(
        tx,
        order_id,
        OrderState.SENDING,
        state=OrderState.QUEUED,
        not_before=not_before,
        reason=reason,
        lease_until=None,
        **anew,
    )


def completed(
    tx: Tx, order_id: str, completion: dict[str, Any], vendor_order: str | None = None
) -> bool:
    """Note the vendor's word that the order ended; False if it was noted or closed before.

    Args:
        vendor_order: the vendor's own id of the order, where the word names it.
    """
    named = {"vendor_order": vendor_order} if vendor_order else {}
    word = {"completion": completion, "completed_at": tx.now, **named}
    ended = {**word, "state": OrderState.COMPLETED, "lease_until": None}
    under_way = (OrderState.QUEUED, OrderState.SENDING, OrderState.WAITING)
    if move(tx, order_id, *under_way, **ended):
        return True
    # `late` may have marked it without a word: whoever looks after it keeps the lease.
    return tx.run(_say(order_id, **word)) == 1


@prepared
def _say(order_id: str, **word: Any) -> sa.Update:
    unspoken = _transition(order_id, OrderState.COMPLETED).where(orders.c.completion.is_(sa.null()))
    return unspoken.values(**word)


def close(tx: Tx, order_id: str, outcome: Outcome, reason: str = "") -> bool:
    """Close the order for good; False if it was closed before."""
    closed = {"state": OrderState.CLOSED, "closed_at": tx.now, "lease_until": None}
    return move(tx, order_id, *OPEN, outcome=outcome, reason=reason, **closed)


def count_by_state(tx: Tx, vendor: str | None = None) -> dict[str, int]:
    """How many orders stand where."""
    query = sa.select(orders.c.state, sa.func.count()).group_by(orders.c.state)
    if vendor is not None:
        query = query.where(orders.c.vendor == vendor)
    return {str(state): int(count) for state, count in tx.all(query)}


def move(tx: Tx, order_id: str, *before: OrderState, **values: Any) -> bool:
    """Change an order that stands in one of the states `before`; False if it stands elsewhere."""
    return tx.run(_moved(order_id, *before, **values)) == 1


@prepared
def _moved(order_id: str, *before: OrderState, **values: Any) -> sa.Update:
    return _transition(order_id, *before).values(**values)


def _transition(order_id: str, *before: OrderState) -> sa.Update:
    return sa.update(orders).where(orders.c.id == order_id, orders.c.state.in_(before))


to_order = reader(Order, state=OrderState, queue_class=QueueClass)
"""Reads a row of the orders table."""
