"""The sender: drains the queue of each account, evenly paced by the vendor's quota."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from export_pipeline.errors import ConfigError, StoreError, TurnMissed, VendorError
from export_pipeline.ledger import orders
from export_pipeline.storage.store import UploadTarget
from export_pipeline.vendors.placement import Placement
from export_pipeline.workflow.answer import (
    note_acceptance,
    note_failure,
    note_missed,
    note_unsigned,
)
from export_pipeline.workflow.lease import held
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.seal import seal_if_possible
from export_pipeline.workflow.targets import (
    loan,
    make_room,
    signed_target,
    stored_source,
    upload_target,
)
from export_pipeline.workflow.turn import IDLE_SECONDS, Turn, next_wait, take_turn

HELD_SECONDS = 2.0
"""Longest pause of a sender that the quota holds back: it may be told to stop meanwhile."""
SENDS_AT_ONCE = 16


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
    now, wait = await pipeline.ledger.look(next_wait, pipeline, account)
    until, idle_since, sent = now + seconds, now, 0
    under_way: set[asyncio.Task[None]] = set()
    prepared = False
    async with asyncio.TaskGroup() as sends:
        while now < until and not stop.is_set():
            if wait is not None and not prepared:
                prepared = True
                await _prepare(pipeline, account)
            elif wait is not None and wait <= IDLE_SECONDS and len(under_way) < SENDS_AT_ONCE:
                turn = await take_turn(pipeline, account)
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
            now, wait = await pipeline.ledger.look(next_wait, pipeline, account)
            idle_since = idle_since if wait is None and not under_way else now
    return sent


async def _prepare(pipeline: Pipeline, account: str) -> None:
    # What is wrong is met again by the first call, and noted with its order.
    with suppress(VendorError, ConfigError):
        await pipeline.vendor.prepare(account)


async def send(pipeline: Pipeline, turn: Turn) -> None:
    """Send one order, and note what the vendor answered."""
    apply, is_last = pipeline.ledger.apply, False
    async with held(pipeline, turn.order, turn.tries):
        try:
            targets: Mapping[str, UploadTarget] = {}
            if pipeline.vendor.pushes:
                # Beside the event loop: an order of 1,000 results has as many URLs signed.
                targets = await asyncio.to_thread(_targets, pipeline, turn)
            receipt = await pipeline.vendor.place(_placement(pipeline, turn, targets))
        except StoreError as error:
            await apply(note_unsigned, pipeline, turn, str(error))
        except TurnMissed as error:
            is_last = await apply(note_missed, pipeline, turn, str(error))
        except (VendorError, ConfigError) as error:
            is_last = await apply(note_failure, pipeline, turn, error)
        else:
            # Shielded: a send that is given up now would lose what the vendor has answered.
            await asyncio.shield(apply(note_acceptance, pipeline, turn, receipt))
        if is_last:
            await seal_if_possible(pipeline, turn.scan, turn.order.generation)


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
        leaves=lambda: _leave(pipeline, turn),
    )


async def _leave(pipeline: Pipeline, turn: Turn) -> None:
    if not await pipeline.ledger.apply(orders.leaves, turn.order.id, turn.tries):
        raise TurnMissed("not sent: the order is no longer ours to send")
