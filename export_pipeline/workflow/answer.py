"""What the vendor's answer to an order, or none, means for it; within one transaction each."""

import random

from export_pipeline.errors import (
    ConfigError,
    DuplicateOrder,
    OrderInvalid,
    OrderRefused,
    ScanGone,
    VendorError,
)
from export_pipeline.ledger import events, orders
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rest import let_rest, needs_person
from export_pipeline.ledger.rows import Order, OrderState, Outcome
from export_pipeline.vendors.placement import Receipt
from export_pipeline.workflow import files
from export_pipeline.workflow.completion import note_completion
from export_pipeline.workflow.decide import NextStep, after_refusal, after_undelivered
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.settle import close, close_gone
from export_pipeline.workflow.turn import Turn

BACKOFF_SECONDS = (1.0, 60.0)
"""First and longest pause between sends of one order: FACTS 1.8, 1, 2, 4 ... 60 s and a random
part."""
ELSEWHERE = (
    "and this ledger never sent it: another home orders on the same account, or a ledger was lost"
)


def note_acceptance(tx: Tx, pipeline: Pipeline, turn: Turn, receipt: Receipt) -> None:
    """The vendor took the order."""
    scan, order = turn.scan, turn.order
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


def note_missed(tx: Tx, pipeline: Pipeline, turn: Turn, reason: str) -> bool:
    """The turn passed: nothing was sent, and the next one is taken as soon as it comes.

    What never left us has waited in the queue, and its deadline counts from the next turn. What
    an earlier turn may have sent is closed past its deadline; True if that was the last word on a
    generation, to be sealed now.
    """
    scan, order = turn.scan, turn.order
    current = orders.of_turn(tx, order.id, turn.tries, OrderState.SENDING)
    if current is None:
        return False  # its completion came, or a later turn has it
    events.record(tx, scan.id, "not sent", order.id, reason=reason)
    if order.sends and _is_late(tx, current):
        return close(tx, scan, order, Outcome.FAILED, reason, _undelivered(pipeline, turn))
    orders.back_to_queue(
        tx,
        order.id,
        not_before=tx.now,
        reason=reason,
        restart=order.sends == 0,
        sends=order.sends,
    )
    return False


def note_unsigned(tx: Tx, _: Pipeline, turn: Turn, reason: str) -> None:
    """The store failed: the order goes back into the queue until that is mended.

    It cannot sign a URL for the order's whole time, or make room: nothing was sent. Or it cannot
    be read for the upload after a job was made: the next send finds that job.
    """
    order = turn.order
    if orders.of_turn(tx, order.id, turn.tries, OrderState.SENDING) is None:
        return
    events.record(tx, order.scan_id, "not sent", order.id, reason=reason)
    later = tx.now + pause(turn.tries)
    orders.back_to_queue(tx, order.id, not_before=later, reason=reason, restart=True)


def note_failure(tx: Tx, pipeline: Pipeline, turn: Turn, error: VendorError | ConfigError) -> bool:
    """The order was not taken; True if that was the last word on a generation, to be sealed now.

    That the vendor has its id already is no failure where an earlier send may have arrived.
    """
    scan, order = turn.scan, turn.order
    current = orders.get(tx, order.id)
    if current is not None and isinstance(error, DuplicateOrder) and current.sends > 1:
        note_acceptance(tx, pipeline, turn, Receipt(request_id=error.request_id))
        return False
    events.record(tx, scan.id, "not accepted", order.id, reason=str(error))
    let_rest(tx, order.vendor, order.account, error)
    current = orders.of_turn(tx, order.id, turn.tries, OrderState.QUEUED, OrderState.SENDING)
    if current is None:
        # Its completion came: it is with the vendor after all. Or a later turn has it, and hears
        # an answer of its own.
        return False
    if not _passes(error):
        return _give_up(tx, pipeline, turn, error)
    if _is_late(tx, current) and not needs_person(error):
        return close(tx, scan, order, Outcome.FAILED, str(error), _undelivered(pipeline, turn))
    orders.back_to_queue(
        tx,
        order.id,
        not_before=tx.now + pause(turn.tries),
        reason=str(error),
        restart=needs_person(error),
    )
    return False


def _is_late(tx: Tx, order: Order) -> bool:
    return order.deadline is not None and tx.now >= order.deadline


def _passes(error: VendorError | ConfigError) -> bool:
    return not isinstance(error, OrderRefused | ScanGone | DuplicateOrder)


def _give_up(tx: Tx, pipeline: Pipeline, turn: Turn, error: VendorError | ConfigError) -> bool:
    """Close the order: sent again, it would fail in the same way."""
    scan, order, ordered = turn.scan, turn.order, turn.ordered
    if isinstance(error, ScanGone):
        return close_gone(tx, scan, str(error))
    if isinstance(error, OrderInvalid):
        return close(tx, scan, order, Outcome.REFUSED, str(error), NextStep(missing=tuple(ordered)))
    if isinstance(error, OrderRefused):
        kinds = [one.kind for one in ordered if one.kind in error.fields]
        step, again = after_refusal(ordered, kinds, error.vendor_names)
        return close(tx, scan, order, Outcome.REFUSED, str(error), step, again)
    reason = f"{error}; {ELSEWHERE}"
    return close(tx, scan, order, Outcome.REFUSED, reason, _undelivered(pipeline, turn))


def _undelivered(pipeline: Pipeline, turn: Turn) -> NextStep:
    return after_undelivered(
        turn.ordered,
        attempt=turn.order.attempt,
        attempts=pipeline.settings.attempts,
        others_arrived=False,
    )


def pause(tries: int) -> float:
    """Seconds until an order whose turn came so often is sent again, a random part included."""
    return backoff(tries - 1, random.random())  # noqa: S311  guards nothing


def backoff(failures: int, chance: float) -> float:
    """Seconds until an order that failed so often before is sent again; chance 0 to 1."""
    first, longest = BACKOFF_SECONDS
    return min(longest, first * float(2 ** min(failures, 10)) * (1.0 + chance))
