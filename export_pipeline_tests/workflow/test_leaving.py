"""Which orders may have left us, and whose send it is: after every way in which a send can end."""

import asyncio
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from export_pipeline.errors import (
    AuthenticationFailed,
    DuplicateOrder,
    RateLimited,
    StoreError,
    TurnMissed,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger import orders, placed, quotas, schema
from export_pipeline.ledger.rows import OrderState, Outcome
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.workflow import lease
from export_pipeline.workflow.lease import LEASE_SECONDS
from export_pipeline.workflow.reconcile import find_stuck
from export_pipeline.workflow.send import drain
from export_pipeline.workflow.turn import claim, take
from export_pipeline_tests.workflow.stepped import Stepped

MINUTE = 60.0


def error(kind: type[VendorError]) -> VendorError:
    return kind("so the vendor says", vendor="copyleaks", account="default", scan="essay")


def test_a_duplicate_id_means_that_an_earlier_send_arrived(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers += [error(VendorUnavailable), error(DuplicateOrder)]
    home.send(seconds=MINUTE)
    assert home.newest(scan).state == OrderState.WAITING
    assert len({placement.order.id for placement in home.vendor.placed}) == 1


def test_a_duplicate_id_that_was_never_sent_from_here_is_ordered_by_the_next_one(
    home: Stepped,
) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.append(error(DuplicateOrder))
    home.send(seconds=MINUTE)
    first, second = home.orders(scan)
    assert (first.outcome, second.state) == (Outcome.REFUSED, OrderState.WAITING)
    assert "this ledger never sent it: another home orders on the same account" in first.reason


def die(_: Placement) -> None:
    raise MemoryError


def die_before_it_leaves(home: Stepped, patch: pytest.MonkeyPatch) -> None:
    with patch.context() as dying:
        dying.setattr(home.vendor, "place", die)
        with pytest.raises(BaseExceptionGroup):
            home.send()


def cannot_sign(home: Stepped, patch: pytest.MonkeyPatch) -> None:
    def expiring(_key: str, *, seconds: float, typed: bool) -> None:
        raise StoreError(f"no URL lives {seconds:.0f} s, typed: {typed}")

    with patch.context() as expired:
        expired.setattr(home.store, "sign_upload", expiring)
        home.send(seconds=5)


def miss_the_turn(home: Stepped, _: pytest.MonkeyPatch) -> None:
    home.vendor.answers.append(TurnMissed("the turn had passed"))
    home.send(seconds=1)


@pytest.mark.parametrize("happens", [die_before_it_leaves, cannot_sign, miss_the_turn])
def test_an_order_that_never_left_is_not_taken_for_an_earlier_send(
    home: Stepped,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[Stepped, pytest.MonkeyPatch], None],
) -> None:
    """Its duplicate is another home's: it was waited for until the deadline."""
    scan = home.register("essay")
    home.request(scan)
    happens(home, monkeypatch)
    assert home.newest(scan).sends == 0
    home.now += LEASE_SECONDS
    home.reconcile()
    home.vendor.answers.append(error(DuplicateOrder))
    home.send(seconds=2 * MINUTE)
    first, second = home.orders(scan)
    assert (first.sends, first.outcome) == (1, Outcome.REFUSED)
    assert (second.attempt, second.state) == (2, OrderState.WAITING)


def test_an_order_whose_process_died_after_it_left_is_known_by_its_duplicate(
    home: Stepped,
) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers += [die, error(DuplicateOrder)]
    with pytest.raises(BaseExceptionGroup):
        home.send()
    home.now += LEASE_SECONDS
    home.reconcile()
    home.send()
    [order] = home.orders(scan)
    assert (order.sends, order.state) == (2, OrderState.WAITING)


def take_over(home: Stepped, owner: str) -> None:
    """Let the lease of the order that is sent end, and let `owner` take the order."""
    home.now += LEASE_SECONDS
    home.write(find_stuck, home.vendor)
    later = home.pipeline(owner=owner)
    claimed = home.write(claim, later, "default")
    home.now += claimed.wait
    assert home.write(take, later, "default", claimed)


@pytest.mark.parametrize("owner", ["one", "another"])
@pytest.mark.parametrize("said", [error(VendorUnavailable), TurnMissed("the turn had passed")])
def test_a_turn_that_stood_still_neither_sends_nor_settles_what_a_later_one_took_over(
    home: Stepped, owner: str, said: Exception
) -> None:
    """It would send a second time, or let the next turn take the order for one never sent."""
    scan = home.register("essay")
    home.request(scan)

    def stand_still(_: Placement) -> None:
        take_over(home, owner)
        raise said

    home.vendor.answers.append(stand_still)
    home.run(lambda pipeline: drain(pipeline, seconds=1), owner="one")
    order = home.newest(scan)
    assert (order.state, order.sends) == (OrderState.SENDING, 1)
    assert "not sent" not in home.events(scan)
    assert home.write(orders.leaves, order.id, 2)


@pytest.mark.parametrize("owner", ["one", "another"])
def test_a_turn_that_stood_still_before_its_request_left_does_not_send(
    home: Stepped, monkeypatch: pytest.MonkeyPatch, owner: str
) -> None:
    scan = home.register("essay")
    home.request(scan)
    left: list[Placement] = []

    async def stand_still(placement: Placement) -> Receipt:
        take_over(home, owner)
        await placement.leaves()
        left.append(placement)
        return Receipt()

    monkeypatch.setattr(home.vendor, "place", stand_still)
    home.run(lambda pipeline: drain(pipeline, seconds=1), owner="one")
    order = home.newest(scan)
    assert (left, order.state, order.sends) == ([], OrderState.SENDING, 0)


@pytest.mark.parametrize("fault", [None, StoreError("no URL lives that long")])
def test_an_order_that_completes_while_its_send_is_prepared_is_not_told_as_unsent(
    home: Stepped, monkeypatch: pytest.MonkeyPatch, fault: StoreError | None
) -> None:
    """Its history said that another process took it over."""
    scan = home.register("essay")
    home.request(scan)

    async def complete_first(placement: Placement) -> Receipt:
        home.write(orders.completed, placement.order.id, {"healthy": True})
        if fault is not None:
            raise fault
        await placement.leaves()
        return Receipt()

    monkeypatch.setattr(home.vendor, "place", complete_first)
    home.send(seconds=1)
    assert home.newest(scan).state == OrderState.COMPLETED
    assert "not sent" not in home.events(scan)


@pytest.mark.parametrize("kind", [RateLimited, AuthenticationFailed])
@pytest.mark.parametrize("meanwhile", ["taken over", "completed"])
def test_an_account_rests_although_the_order_is_no_longer_this_turns(
    home: Stepped, kind: type[VendorError], meanwhile: str
) -> None:
    scan = home.register("essay")
    home.request(scan)

    def stand_still(placement: Placement) -> None:
        if meanwhile == "completed":
            home.write(orders.completed, placement.order.id, {"healthy": True})
        else:
            take_over(home, "another")
        raise error(kind)

    home.vendor.answers.append(stand_still)
    home.send(seconds=1)
    assert home.look(quotas.cooldown, "copyleaks", "default").until > home.now


def test_a_send_keeps_its_order_for_as_long_as_it_takes(
    home: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload of a large file takes longer than a lease: another process sent it too."""
    scan = home.register("essay")
    home.request(scan)
    until = sa.select(schema.orders.c.lease_until)

    async def slowly(placement: Placement) -> Receipt:
        await placement.leaves()
        for _ in range(3):
            home.now += LEASE_SECONDS - 1
            assert home.write(placed.abandoned, "copyleaks") == []
            while home.ledger.glance(until) != (home.now + LEASE_SECONDS,):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        return Receipt()

    monkeypatch.setattr(lease, "RENEWAL_SECONDS", 0.0)
    monkeypatch.setattr(home.vendor, "place", slowly)
    home.send(seconds=1)
    assert home.newest(scan).state == OrderState.WAITING


def test_a_send_whose_process_died_is_repeated_by_the_same_id(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.append(die)
    with pytest.raises(BaseExceptionGroup):
        home.send()
    assert home.newest(scan).state == OrderState.SENDING
    home.now += LEASE_SECONDS
    home.reconcile()
    home.send()
    first, second = home.vendor.placed
    assert first.order.id == second.order.id
    assert "queued again: its sender died" in home.events(scan)
