"""The sender: drains the queue of each account, evenly paced by the vendor's quota."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from export_pipeline.errors import (
    ConfigError,
    DuplicateOrder,
    OrderInvalid,
    OrderRefused,
    ScanGone,
    StoreError,
    TurnMissed,
    VendorError,
)
from export_pipeline.ledger import artifacts, events, orders, quotas, registry, turns
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Artifact, Order, OrderState, Outcome, Scan
from export_pipeline.storage.store import UploadTarget
from export_pipeline.vendors.vendor import Placement, Receipt
from export_pipeline.workflow import files
from export_pipeline.workflow.completion import note_completion
from export_pipeline.workflow.decide import NextStep, after_refusal, after_undelivered
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.rest import let_rest, needs_person
from export_pipeline.workflow.seal import seal_if_possible
from export_pipeline.workflow.settle import close, close_gone
from export_pipeline.workflow.targets import (
    loan,
    make_room,
    signed_target,
    stored_source,
    upload_target,
)

SENDING_SECONDS = 120.0
"""How long a send may take before another process sends the same order, by the same id."""
BACKLOG_SHARE = 5
"""Every fifth call is the backlog's first, however much others queue (DESIGN.md part 3)."""
IDLE_SECONDS = 0.25
"""Pause of an empty queue; also how early a turn is claimed. Waking late costs no quota then, and
a sender that dies with a claim has seldom got one."""
HELD_SECONDS = 2.0
"""Longest pause of a sender that the quota holds back: it may be told to stop meanwhile."""
BACKOFF_SECONDS = (1.0, 60.0)
"""First and longest pause between sends of one order: FACTS 1.8, 1, 2, 4 ... 60 s and a random
part."""
SENDS_AT_ONCE = 16
ELSEWHERE = (
    "and this ledger never sent it: another home orders on the same account, or a ledger was lost"
)

OnTime = Callable[[], bool]


async def drain(
    pipeline: Pipeline, *, seconds: float, linger: float = 0.0, stop: asyncio.Event | None = None
) -> int:
    """Send what is queued on all accounts for at most `seconds`; return how many were sent.

    Ends sooner when every queue stayed empty for `linger` seconds, or when `stop` is set; calls
    under way are always waited for.
    """
    stop = stop or asyncio.Event()
    async with asyncio.TaskGroup() as accounts:
        drains = [
            accounts.create_task(_drain_account(pipeline, account, seconds, linger, stop))
            for account in pipeline.vendor.accounts
        ]
    return sum(drain.result() for drain in drains)


async def _drain_account(
    pipeline: Pipeline, account: str, seconds: float, linger: float, stop: asyncio.Event
) -> int:
    now, wait = await pipeline.ledger.look(_next_wait, pipeline, account)
    until, idle_since, sent = now + seconds, now, 0
    under_way: set[asyncio.Task[None]] = set()
    prepared = False
    async with asyncio.TaskGroup() as sends:
        while now < until and not stop.is_set():
            if wait is not None and not prepared:
                prepared = True
                await _prepare(pipeline, account)
            elif wait is not None and wait <= IDLE_SECONDS and len(under_way) < SENDS_AT_ONCE:
                turn = await _take_turn(pipeline, account)
                if turn is not None:
                    sent += 1
                    under_way.add(task := sends.create_task(send(pipeline, turn)))
                    task.add_done_callback(under_way.discard)
            elif under_way:
                # What they are answered may come back into the queue.
                await asyncio.wait(under_way, timeout=IDLE_SECONDS)
            elif wait is not None:
                await pipeline.sleep(min(wait - IDLE_SECONDS, HELD_SECONDS))
            elif now - idle_since < linger:
                await pipeline.sleep(IDLE_SECONDS)
            else:
                break
            now, wait = await pipeline.ledger.look(_next_wait, pipeline, account)
            idle_since = idle_since if wait is None and not under_way else now
    return sent


async def _prepare(pipeline: Pipeline, account: str) -> None:
    # What is wrong is met again by the first call, and noted with its order.
    with suppress(VendorError, ConfigError):
        await pipeline.vendor.prepare(account)


def _next_wait(tx: Tx, pipeline: Pipeline, account: str) -> tuple[float, float | None]:
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


@dataclass(frozen=True)
class Turn:
    """An order that this process has taken and is to send now.

    Args:
        ordered: what the order is to bring.
        is_on_time: whether the turn still holds, by this process's own clock.
    """

    scan: Scan
    order: Order
    ordered: Sequence[Artifact]
    is_on_time: OnTime


async def _take_turn(pipeline: Pipeline, account: str) -> Turn | None:
    """Claim a moment, wait for it, and take the order that is first in the queue then."""
    claim = await pipeline.ledger.apply(_claim, pipeline, account)
    if claim.wait > 0:
        await pipeline.sleep(claim.wait)
    asked = time.monotonic()
    taken = await pipeline.ledger.apply(_take, pipeline, account, claim)
    if taken is None:
        return None
    scan, order, ordered, seconds_left = taken
    return Turn(scan, order, ordered, lambda: time.monotonic() - asked <= seconds_left)


@dataclass(frozen=True)
class _Claim:
    """The right to one call: its number, the seconds until it, the moment after which it is void.

    Numbers are counted over all processes, so that each fifth call is the backlog's by whomever.
    """

    number: int
    wait: float
    valid_until: float


def _claim(tx: Tx, pipeline: Pipeline, account: str) -> _Claim:
    name, wanted = pipeline.vendor.name, pipeline.vendor.quotas(account)
    due = turns.earliest_due(tx, name, account) or tx.now
    if due > tx.now:
        return _Claim(0, due - tx.now, valid_until=0.0)  # void: claimed now it would be wasted
    moment = quotas.claim(tx, name, account, wanted)
    number = quotas.granted(tx, name, account, wanted[0].name)
    tolerance = max(quota.tolerance for quota in wanted)
    return _Claim(number, moment - tx.now, moment + tolerance)


def _take(
    tx: Tx, pipeline: Pipeline, account: str, claim: _Claim
) -> tuple[Scan, Order, list[Artifact], float] | None:
    """Take the next order; return what it is about, and the seconds for which the claim holds."""
    if tx.now > claim.valid_until:
        return None  # used late, the claim could crowd the next one: it is given up
    name = pipeline.vendor.name
    if quotas.cooldown(tx, name, account).until > tx.now:
        return None
    backlog_turn = claim.number % BACKLOG_SHARE == 0
    order = turns.next_in_queue(tx, name, account, backlog_turn=backlog_turn)
    if order is None:
        return None
    deadline = tx.now + pipeline.settings.order_deadline
    if not orders.sending(tx, order, pipeline.owner, seconds=SENDING_SECONDS, deadline=deadline):
        return None
    scan, ordered = registry.by_id(tx, order.scan_id), artifacts.of_order(tx, order.id)
    return scan, order, ordered, claim.valid_until - tx.now


async def send(pipeline: Pipeline, turn: Turn) -> None:
    """Send one order, and note what the vendor answered."""
    scan, order, ordered = turn.scan, turn.order, turn.ordered
    try:
        targets: Mapping[str, UploadTarget] = {}
        if pipeline.vendor.pushes:
            # Beside the event loop: an order of 1,000 results has as many URLs signed.
            targets = await asyncio.to_thread(_targets, pipeline, turn)
        receipt = await pipeline.vendor.place(_placement(pipeline, turn, targets))
    except StoreError as error:
        # No URL can be signed for the order's whole time: nothing is sent before that is mended.
        pause = backoff(order.sends, random.random())  # noqa: S311  guards nothing
        await pipeline.ledger.apply(_not_sent, order, str(error), pause, restart=True)
        return
    except TurnMissed as error:
        await pipeline.ledger.apply(_not_sent, order, str(error), 0.0, restart=False)
        return
    except (VendorError, ConfigError) as error:
        if not (isinstance(error, DuplicateOrder) and order.sends):
            if await pipeline.ledger.apply(_not_accepted, pipeline, order, scan, ordered, error):
                await seal_if_possible(pipeline, scan, order.generation)
            return
        receipt = Receipt(request_id=error.request_id)  # an earlier send of ours arrived
    await pipeline.ledger.apply(_accepted, pipeline, scan, order, receipt)


def _not_sent(tx: Tx, order: Order, reason: str, pause: float, *, restart: bool) -> None:
    events.record(tx, order.scan_id, "not sent", order.id, reason=reason)
    orders.back_to_queue(tx, order.id, not_before=tx.now + pause, reason=reason, restart=restart)


def _targets(pipeline: Pipeline, turn: Turn) -> dict[str, UploadTarget]:
    return {one.name: upload_target(pipeline, turn.scan, turn.order, one) for one in turn.ordered}


def _placement(pipeline: Pipeline, turn: Turn, targets: Mapping[str, UploadTarget]) -> Placement:
    scan, order = turn.scan, turn.order
    return Placement(
        order=order,
        scan=scan,
        targets=targets,
        vendor_names={one.name: one.vendor_name for one in turn.ordered},
        kinds={one.name: one.kind for one in turn.ordered},
        completion=pipeline.addresses.order_webhook(order),
        sign=lambda name: signed_target(pipeline, scan, order, name),
        lend=lambda name: loan(pipeline, order, name),
        make_room=lambda name: make_room(pipeline, order, name),
        source=lambda key: stored_source(pipeline, key),
        is_on_time=turn.is_on_time,
    )


def _accepted(tx: Tx, pipeline: Pipeline, scan: Scan, order: Order, receipt: Receipt) -> None:
    asking = pipeline.vendor.asking
    patience = asking.first_seconds if asking else pipeline.settings.order_patience
    orders.accepted(
        tx,
        order.id,
        request_id=receipt.request_id,
        vendor_order=receipt.vendor_order,
        look_after=tx.now + patience,
    )
    events.record(tx, order.scan_id, "accepted", order.id, request_id=receipt.request_id)
    if receipt.files is not None:
        files.replace(tx, scan, order, receipt.files)
    if receipt.completion is not None:
        note_completion(tx, order.id, receipt.completion)


def _not_accepted(
    tx: Tx,
    pipeline: Pipeline,
    order: Order,
    scan: Scan,
    ordered: Sequence[Artifact],
    error: VendorError | ConfigError,
) -> bool:
    """Note a failed send; True if that was the last word on a generation that can be sealed."""
    events.record(tx, scan.id, "not accepted", order.id, reason=str(error))
    current = orders.get(tx, order.id)
    if current is None or current.state not in (OrderState.QUEUED, OrderState.SENDING):
        return False  # the completion came meanwhile: the order is with the vendor after all
    attempts = pipeline.settings.attempts
    undelivered = after_undelivered(
        ordered, attempt=order.attempt, attempts=attempts, others_arrived=False
    )
    if isinstance(error, OrderRefused):
        kinds = [one.kind for one in ordered if one.kind in error.fields]
        step, again = after_refusal(ordered, kinds, error.vendor_names)
        if isinstance(error, OrderInvalid):
            step, again = NextStep(missing=tuple(ordered)), []
        return close(tx, scan, order, Outcome.REFUSED, str(error), step, again)
    if isinstance(error, ScanGone):
        return close_gone(tx, scan, str(error))
    if isinstance(error, DuplicateOrder):
        return close(tx, scan, order, Outcome.REFUSED, f"{error}; {ELSEWHERE}", undelivered)
    let_rest(tx, order.vendor, order.account, error)
    if not needs_person(error) and current.deadline is not None and tx.now >= current.deadline:
        return close(tx, scan, order, Outcome.FAILED, str(error), undelivered)
    not_before = tx.now + backoff(order.sends, random.random())  # noqa: S311  guards nothing
    orders.back_to_queue(
        tx, order.id, not_before=not_before, reason=str(error), restart=needs_person(error)
    )
    return False


def backoff(sends: int, chance: float) -> float:
    """Seconds until an order that failed `sends` times before is sent again; chance 0 to 1."""
    first, longest = BACKOFF_SECONDS
    return min(longest, first * float(2 ** min(sends, 10)) * (1.0 + chance))
