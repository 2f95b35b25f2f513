"""Poll: ask the vendor how its orders stand, where it can be asked."""

import asyncio
from collections.abc import Mapping, Sequence

from export_pipeline.errors import ConfigError, VendorError
from export_pipeline.ledger import placed, quotas
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rest import let_rest
from export_pipeline.ledger.rows import Order
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.vendor import Asking
from export_pipeline.workflow.completion import note_completion
from export_pipeline.workflow.pipeline import Pipeline

ASKING_SECONDS = 180.0
"""How long one question may take before another process asks it: a long poll holds for 60 s, and
the quota may hold it back as long."""
AGE_SHARE = 10
"""An order is asked after again after this part of its age."""
LEAST_SECONDS = 1.0
"""Between two questions after one order of a vendor that holds its answer, if it does not."""
IDLE_SECONDS = 0.25


async def poll(
    pipeline: Pipeline, *, seconds: float, linger: float = 0.0, stop: asyncio.Event | None = None
) -> int:
    """Ask after waiting orders of all accounts for at most `seconds`; return how many ended.

    Ends sooner when there was nothing to ask for `linger` seconds, or when `stop` is set.
    """
    asking = pipeline.vendor.asking
    if asking is None:
        return 0
    stop = stop or asyncio.Event()
    async with asyncio.TaskGroup() as accounts:
        polls = [
            accounts.create_task(_poll_account(pipeline, asking, account, seconds, linger, stop))
            for account in pipeline.vendor.accounts
        ]
    return sum(one.result() for one in polls)


async def _poll_account(
    pipeline: Pipeline,
    asking: Asking,
    account: str,
    seconds: float,
    linger: float,
    stop: asyncio.Event,
) -> int:
    ended = 0
    questions: set[asyncio.Task[int]] = set()
    now, wait = await pipeline.ledger.look(_next_wait, pipeline, account)
    until, busy_at, free_at = now + seconds, now, now
    async with asyncio.TaskGroup() as group:
        while now < until and not stop.is_set():
            if len(questions) == asking.together:
                done, questions = await asyncio.wait(questions, return_when=asyncio.FIRST_COMPLETED)
                ended += sum(one.result() for one in done)
            elif wait == 0.0 and now >= free_at:
                taken = await _take(pipeline, asking, account)
                questions.add(group.create_task(_ask(pipeline, asking, account, taken)))
                busy_at, free_at = now, now + asking.apart_seconds
            elif wait is None and now - busy_at >= linger:
                break
            else:
                await pipeline.sleep(min(wait or IDLE_SECONDS, IDLE_SECONDS))
            now, wait = await pipeline.ledger.look(_next_wait, pipeline, account)
    return ended + sum(one.result() for one in questions)


def _next_wait(tx: Tx, pipeline: Pipeline, account: str) -> tuple[float, float | None]:
    """The time, and the seconds until it is time to ask.

    None with nothing to ask after, and while the account waits for a person.
    """
    name = pipeline.vendor.name
    due = placed.next_to_ask(tx, name, account)
    rest = quotas.cooldown(tx, name, account)
    if due is None or rest.needs_person:
        return tx.now, None
    return tx.now, max(0.0, max(due, rest.until) - tx.now)


async def _take(pipeline: Pipeline, asking: Asking, account: str) -> list[Order]:
    """The orders of one question, of those whose time has come; another process may be faster."""
    return await pipeline.ledger.apply(
        placed.take_to_ask,
        pipeline.vendor.name,
        account,
        limit=asking.at_once,
        seconds=ASKING_SECONDS,
    )


async def _ask(pipeline: Pipeline, asking: Asking, account: str, taken: Sequence[Order]) -> int:
    """Ask once after these orders; return how many ended."""
    if not taken:
        return 0
    try:
        completions = await pipeline.vendor.ask(account, taken)
    except (VendorError, ConfigError) as error:
        await pipeline.ledger.apply(_not_asked, asking, account, taken, error)
        return 0
    await pipeline.ledger.apply(_asked, asking, taken, completions)
    return len(completions)


def _asked(
    tx: Tx, asking: Asking, taken: Sequence[Order], completions: Mapping[str, Completion]
) -> None:
    for order in taken:
        if order.id in completions:
            note_completion(tx, order.id, completions[order.id])
        else:
            placed.ask_later(tx, order.id, tx.now + pause(asking, tx.now - _began(order)))


def _not_asked(
    tx: Tx,
    asking: Asking,
    account: str,
    taken: Sequence[Order],
    error: VendorError | ConfigError,
) -> None:
    let_rest(tx, taken[0].vendor, account, error)
    for order in taken:
        placed.ask_later(tx, order.id, tx.now + asking.longest_seconds)


def _began(order: Order) -> float:
    return order.queued_at if order.sent_at is None else order.sent_at


def pause(asking: Asking, age: float) -> float:
    """Seconds until an order of that age, in seconds, is asked after again."""
    if asking.holds:
        return LEAST_SECONDS
    return min(asking.longest_seconds, max(asking.first_seconds, age / AGE_SHARE))
