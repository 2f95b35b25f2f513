"""Polling: who is asked after, when, and what a vendor that does not answer costs."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from export_pipeline.errors import AuthenticationFailed, RateLimited, VendorUnavailable
from export_pipeline.ledger import placed, quotas
from export_pipeline.ledger.rows import Order, OrderState, ScanState
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.placement import Receipt
from export_pipeline.vendors.vendor import Asking
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.poll import ASKING_SECONDS, LEAST_SECONDS, pause, poll
from export_pipeline.workflow.reconcile import is_needed
from export_pipeline_tests.workflow.pulling import (
    FIRST_SECONDS,
    LONGEST_SECONDS,
    READY,
    Pulled,
    ScriptedPuller,
    fault,
)
from export_pipeline_tests.workflow.stepped import ENVIRONMENT, Stepped

HELD_SECONDS = 60.0
GIVE_UP_SECONDS = 8 * HELD_SECONDS
HURRY = 60
"""Seconds of a hurried home in one of ours."""
FAST = {"EXPORT_COPYLEAKS_EXPORTS_PER_MINUTE": "6000"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Pulled]:
    made = Pulled(tmp_path)
    yield made
    made.ledger.close()


def test_an_order_is_asked_after_until_it_ended_and_then_collected(home: Pulled) -> None:
    scan = home.ordered("essay")
    assert home.poll(seconds=FIRST_SECONDS / 2) == 0
    assert home.vendor.questions == []
    assert home.poll() == 0
    assert len(home.vendor.questions) > 1
    home.end(home.newest(scan))
    assert home.poll() == 1
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.stored(scan) == home.recorded(scan)


def test_an_order_that_ended_at_once_is_never_asked_after(home: Pulled) -> None:
    home.vendor.receipt = lambda _: Receipt(completion=READY)
    scan = home.ordered("essay")
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.vendor.questions == []


def test_no_more_orders_are_named_at_once_than_the_vendor_takes(home: Pulled) -> None:
    for number in range(25):
        scan = home.register(f"essay-{number}", results=[])
        home.request(scan)
    home.send(seconds=1_000)
    home.now += FIRST_SECONDS
    home.poll(seconds=1)
    assert max(map(len, home.vendor.questions)) == 10
    assert len({name for asked in home.vendor.questions for name in asked}) == 25


class Holding(ScriptedPuller):
    """Holds each question for a minute unless one of its orders ended, as Laserfiche does."""

    asking = Asking(10, 1.0, LONGEST_SECONDS, holds=True, together=10, apart_seconds=3.0)
    heard: asyncio.Event

    async def ask(self, account: str, orders: Sequence[Order]) -> Mapping[str, Completion]:
        told = await super().ask(account, orders)
        if told:
            self.heard.set()
        else:
            await asyncio.sleep(HELD_SECONDS / HURRY)
        return told


class Hurried(Pulled):
    """A home whose clock goes on by itself while it polls."""

    make_vendor = Holding
    vendor: Holding
    _stood_at = 0.0
    _began: float | None = None

    @property  # type: ignore[override]
    def now(self) -> float:
        passed = 0.0 if self._began is None else time.monotonic() - self._began
        return self._stood_at + passed * HURRY

    @now.setter
    def now(self, moment: float) -> None:
        self._stood_at = moment

    async def sleep(self, seconds: float) -> None:
        if self._began is None:
            await super().sleep(seconds)
        else:
            await asyncio.sleep(seconds / HURRY)

    async def poll_until_heard(self, pipeline: Pipeline) -> int:
        self._began, self.vendor.heard = time.monotonic(), asyncio.Event()
        return await poll(pipeline, seconds=GIVE_UP_SECONDS, stop=self.vendor.heard)


def test_a_hundred_orders_are_watched_by_ten_questions_at_once(tmp_path: Path) -> None:
    """One after the other, the last one's end would be heard of nine minutes later."""
    home = Hurried(tmp_path, vendor_variables={**ENVIRONMENT, **FAST})
    scans = [home.register(f"essay-{number}", results=[]) for number in range(100)]
    for scan in scans:
        home.request(scan)
    assert home.send(seconds=1_000) == 100
    home.end(home.newest(scans[-1]))
    assert home.run(home.poll_until_heard) == 1
    home.ledger.close()


def test_the_pause_grows_with_the_age_of_an_order_up_to_its_longest() -> None:
    asking = Asking(10, FIRST_SECONDS, LONGEST_SECONDS)
    assert [pause(asking, age) for age in (0, 100, 10_000)] == [5.0, 10.0, 60.0]
    assert pause(Asking(10, 5.0, 60.0, holds=True), 10_000) == LEAST_SECONDS


def test_who_died_while_asking_leaves_the_order_to_the_next(home: Pulled) -> None:
    scan = home.ordered("essay")
    home.now += FIRST_SECONDS
    taken = home.write(placed.take_to_ask, "copyleaks", "default", limit=9, seconds=ASKING_SECONDS)
    assert [order.scan_id for order in taken] == [scan.id]
    home.end(home.newest(scan))
    assert home.poll(seconds=ASKING_SECONDS / 2) == 0
    assert home.poll(seconds=ASKING_SECONDS) == 1


def test_a_vendor_away_is_asked_again_later(home: Pulled) -> None:
    scan = home.ordered("essay")
    home.end(home.newest(scan), fault(VendorUnavailable))
    assert home.poll(seconds=2 * LONGEST_SECONDS) == 0
    assert 1 <= len(home.vendor.questions) <= 3
    home.end(home.newest(scan))
    assert home.poll(seconds=2 * LONGEST_SECONDS) == 1


@pytest.mark.parametrize("kind", [AuthenticationFailed, RateLimited])
def test_an_account_that_is_refused_rests_and_is_asked_about_nothing(
    home: Pulled, kind: type[AuthenticationFailed] | type[RateLimited]
) -> None:
    scan = home.ordered("essay")
    home.end(home.newest(scan), fault(kind))
    home.poll(seconds=FIRST_SECONDS + 1)
    rest = home.look(quotas.cooldown, "copyleaks", "default")
    assert rest.needs_person == (kind is AuthenticationFailed)
    asked = len(home.vendor.questions)
    home.poll(seconds=rest.until - home.now - 1)
    assert len(home.vendor.questions) == asked
    home.end(home.newest(scan))
    home.now = rest.until
    assert home.poll() == 1


def test_an_order_is_late_at_its_deadline_and_not_before(home: Pulled) -> None:
    scan = home.ordered("essay")
    order = home.newest(scan)
    home.now += home.settings.order_patience + 1
    assert not home.look(is_needed, home.vendor)
    assert order.deadline is not None
    home.now = order.deadline
    assert home.look(is_needed, home.vendor)
    home.reconcile()
    assert home.newest(scan).attempt == 2
    assert "no delivery before the deadline" in home.orders(scan)[0].reason


def test_the_vendors_word_that_it_failed_is_the_reason(home: Pulled) -> None:
    scan = home.ordered("essay")
    home.end(home.newest(scan), Completion(failure="the disk is full"))
    home.poll()
    home.collect()
    assert [order.attempt for order in home.orders(scan)] == [1, 2]
    assert home.orders(scan)[0].reason == "copyleaks failed attempt 1: the disk is full"


def test_a_failure_that_would_come_again_is_not_ordered_again(home: Pulled) -> None:
    scan = home.ordered("essay")
    home.end(home.newest(scan), Completion(failure="no such page", is_final=True))
    home.poll()
    home.collect()
    assert len(home.orders(scan)) == 1
    assert home.scan(scan).state == ScanState.FAILED
    assert "no such page" in home.scan(scan).reason


def test_nobody_asks_a_vendor_that_only_posts(tmp_path: Path) -> None:
    home = Stepped(tmp_path)
    scan = home.ordered("essay")
    assert Pulled.poll(home) == 0  # type: ignore[arg-type]
    assert home.newest(scan).state == OrderState.WAITING
    home.ledger.close()
