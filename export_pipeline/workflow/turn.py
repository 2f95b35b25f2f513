"""The turn of an order: a moment claimed within the vendor's quota, and who is first then."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from export_pipeline.ledger import artifacts, orders, quotas, registry, turns
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Artifact, Order, OrderState, Scan
from export_pipeline.workflow.lease import LEASE_SECONDS
from export_pipeline.workflow.pipeline import Pipeline

BACKLOG_SHARE = 5
"""Every fifth call is the backlog's first, however much others queue (DESIGN.md part 3)."""

IDLE_SECONDS = 0.25
"""Pause of an empty queue; also how early a turn is claimed. Waking late costs no quota then, and
a sender that dies with a claim has seldom got one."""

OnTime = Callable[[], bool]


@dataclass(frozen=True)
class Turn:
    """An order that this process has taken and is to send now.

    Args:
        ordered: what the order is to bring.
        tries: how often the order's turn came, this one included; a later turn of it has another
            number, and this one is over then.
        is_on_time: whether the turn still holds, by this process's own clock.
    """

    scan: Scan
    order: Order
    ordered: Sequence[Artifact]
    tries: int
    is_on_time: OnTime


@dataclass(frozen=True)
class Claim:
    """The right to one call: its number, the seconds until it, the moment after which it is void.

    Numbers are counted over all processes, so that each fifth call is the backlog's by whomever.
    """

    number: int
    wait: float
    valid_until: float


async def take_turn(pipeline: Pipeline, account: str) -> Turn | None:
    """Claim a moment, wait for it, and take the order that is first in the queue then."""
    claimed = await pipeline.ledger.apply(claim, pipeline, account)
    if claimed.wait > 0:
        await pipeline.sleep(claimed.wait)
    asked = time.monotonic()
    taken = await pipeline.ledger.apply(take, pipeline, account, claimed)
    if taken is None:
        return None
    scan, order, ordered, tries, seconds_left = taken
    return Turn(scan, order, ordered, tries, lambda: time.monotonic() - asked <= seconds_left)


def next_wait(tx: Tx, pipeline: Pipeline, account: str) -> tuple[float, float | None]:
    """The time, and how long until an order is due and the quota free.

    None with nothing queued, and while the account waits for a person.
    """
    due = turns.earliest_due(tx, pipeline.vendor.name, account)
    rest = quotas.cooldown(tx, pipeline.vendor.name, account)
    if due is None or rest.needs_person:
        return tx.now, None
    free = [
        quotas.next_free(tx, pipeline.vendor.name, account, quota)
        for quota in pipeline.vendor.quotas(account)
    ]
    return tx.now, max(0.0, max(due, rest.until, *free) - tx.now)


def claim(tx: Tx, pipeline: Pipeline, account: str) -> Claim:
    """Claim a call of the quotas that sending uses.

    Void, and short, while it would be wasted: no order is due any more, or since a moment ago the
    account rests. Nobody sleeps through that, deaf to being told to stop.
    """
    name, wanted = pipeline.vendor.name, pipeline.vendor.quotas(account)
    due = turns.earliest_due(tx, name, account) or tx.now
    due = max(due, quotas.cooldown(tx, name, account).until)
    if due > tx.now:
        return Claim(0, min(due - tx.now, IDLE_SECONDS), valid_until=0.0)
    moment = quotas.claim(tx, name, account, wanted)
    number = quotas.granted(tx, name, account, wanted[0].name)
    tolerance = max(quota.tolerance for quota in wanted)
    return Claim(number, moment - tx.now, moment + tolerance)


def take(
    tx: Tx, pipeline: Pipeline, account: str, claimed: Claim
) -> tuple[Scan, Order, list[Artifact], int, float] | None:
    """Take the next order.

    Returns:
        What it is about, how often its turn came, and the seconds for which the claim holds.
    """
    if tx.now > claimed.valid_until:
        return None  # used late, the claim could crowd the next one: it is given up
    name = pipeline.vendor.name
    if quotas.cooldown(tx, name, account).until > tx.now:
        return None
    backlog_turn = claimed.number % BACKLOG_SHARE == 0
    order = turns.next_in_queue(tx, name, account, backlog_turn=backlog_turn)
    if order is None:
        return None
    deadline = tx.now + pipeline.settings.order_deadline
    tries = orders.sending(tx, order, pipeline.owner, seconds=LEASE_SECONDS, deadline=deadline)
    if tries is None:
        return None
    taken = replace(order, state=OrderState.SENDING)
    scan, ordered = registry.by_id(tx, order.scan_id), artifacts.of_order(tx, order.id)
    return scan, taken, ordered, tries, claimed.valid_until - tx.now
