"""The sender: whose turn it is, and what it notes before and after a call."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from export_pipeline.errors import (
    OrderRefused,
    RateLimited,
    ScanGone,
    StoreError,
    TurnMissed,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger import quotas
from export_pipeline.ledger.rows import OrderState, Outcome, QueueClass, ScanState
from export_pipeline.vendors.placement import Placement
from export_pipeline.workflow.answer import backoff
from export_pipeline.workflow.completion import note_letters, read_letters
from export_pipeline.workflow.turn import BACKLOG_SHARE, IDLE_SECONDS, claim, take
from export_pipeline_tests.workflow.stepped import Stepped

MINUTE = 60.0


def error(kind: type[VendorError], text: str = "so the vendor says") -> VendorError:
    return kind(text, vendor="copyleaks", account="default", scan="essay")


def refusal(*fields: str, vendor_names: tuple[str, ...] = ()) -> VendorError:
    made = OrderRefused("no", vendor="copyleaks", account="default")
    made.fields, made.vendor_names = fields, vendor_names
    return made


def limited(retry_after: float | None) -> VendorError:
    made = RateLimited("slow down", vendor="copyleaks", account="default")
    made.retry_after = retry_after
    return made


def sent(home: Stepped) -> list[str]:
    return [placement.scan.scan for placement in home.vendor.placed]


def test_an_accepted_order_waits_at_the_vendor_with_a_deadline(home: Stepped) -> None:
    scan = home.ordered("essay")
    [order] = home.orders(scan)
    assert order.state == OrderState.WAITING
    assert order.request_id == "request-1"
    assert order.deadline is not None
    assert "accepted" in home.events(scan)


def test_by_hand_goes_before_webhook_before_nightly_before_backlog(home: Stepped) -> None:
    for queue_class in reversed(QueueClass):
        home.request(home.register(queue_class.name), queue_class)
    home.send()
    assert sent(home) == ["HAND", "WEBHOOK", "NIGHTLY", "BACKLOG"]


def test_the_backlog_gets_a_fifth_however_much_others_queue(home: Stepped) -> None:
    for number in range(20):
        home.request(home.register(f"hand-{number}"), QueueClass.HAND)
        home.request(home.register(f"backlog-{number}"), QueueClass.BACKLOG)
    home.send(seconds=2 * MINUTE)
    first = sent(home)[:20]
    assert sum(one.startswith("backlog") for one in first) == 20 // BACKLOG_SHARE


def test_each_fifth_call_is_the_backlogs_whichever_process_makes_it(home: Stepped) -> None:
    """Two senders that read the common count when they sent could both miss each fifth call."""
    claims = [home.write(claim, home.pipeline(), "default") for _ in range(10)]
    assert [one.number for one in claims] == list(range(1, 11))


def test_nobody_sleeps_through_a_rest_that_began_before_the_claim(home: Stepped) -> None:
    """A 429 between a look and a claim: the sender slept for an hour, deaf to its run's end."""
    home.request(home.register("essay"))
    home.write(quotas.cool_down, "copyleaks", "default", 3_600, "slow down")
    claimed = home.write(claim, home.pipeline(), "default")
    assert claimed.wait <= IDLE_SECONDS
    assert home.write(take, home.pipeline(), "default", claimed) is None
    home.now += 3_600
    assert home.write(claim, home.pipeline(), "default").number == 1


def test_what_expires_soonest_goes_first_within_a_class(home: Stepped) -> None:
    for name, hours in (("never", None), ("late", 9), ("soon", 1)):
        ends = None if hours is None else home.now + hours * 3_600
        home.request(home.register(name, expires_at=ends), QueueClass.BACKLOG)
    home.send()
    assert sent(home) == ["soon", "late", "never"]


def test_calls_are_spread_evenly_over_the_quotas_minute(home: Stepped) -> None:
    moments: list[float] = []
    for number in range(12):
        home.request(home.register(f"essay-{number}"))
        home.vendor.answers.append(lambda _: moments.append(home.now))
    home.send(seconds=2 * MINUTE)
    gaps = [after - before for before, after in pairwise(moments)]
    assert min(gaps) >= MINUTE / 10


def test_the_sender_ends_when_the_queue_is_empty(home: Stepped) -> None:
    began = home.now
    assert home.send(seconds=3_600) == 0
    assert home.now - began < MINUTE


def test_the_sender_ends_with_its_time_and_leaves_the_rest_queued(home: Stepped) -> None:
    for number in range(30):
        home.request(home.register(f"essay-{number}"))
    assert 8 <= home.send(seconds=MINUTE) <= 11


def test_accounts_are_drained_side_by_side(home: Stepped) -> None:
    home.request(home.register("mine"))
    home.request(home.register("theirs", account="second"))
    home.vendor.answers.append(limited(3_600))
    home.send(seconds=10)
    assert sorted(sent(home)) == ["mine", "theirs"]


def test_a_turn_that_passed_before_the_call_is_followed_by_another(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.append(TurnMissed("the turn had passed"))
    home.send(seconds=MINUTE)
    first, second = home.vendor.placed
    assert first.order.id == second.order.id
    [order] = home.orders(scan)
    assert order.state == OrderState.WAITING
    assert order.sent_at is not None


def test_turns_that_pass_before_an_order_ever_left_take_nothing_of_its_time(
    home: Stepped,
) -> None:
    """It may wait for hours behind an account's one task, and failed without having been sent."""
    scan = home.register("essay")
    home.request(scan)
    for _ in range(5):
        home.vendor.answers.append(missed_after(home, home.settings.order_deadline))
        home.send(seconds=1)
    home.send(seconds=MINUTE)
    [order] = home.orders(scan)
    assert (order.attempt, order.state) == (1, OrderState.WAITING)
    assert order.deadline is not None
    assert order.deadline > home.now


def missed_after(home: Stepped, seconds: float) -> Callable[[Placement], None]:
    def miss(_: Placement) -> None:
        home.now += seconds
        raise TurnMissed("the turn had passed")

    return miss


def test_an_order_that_may_have_left_and_misses_its_turns_gets_the_next_attempt(
    home: Stepped,
) -> None:
    """Its time to bring anything is over, and it went round for ever."""
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.extend(
        [error(VendorUnavailable), missed_after(home, home.settings.order_deadline)]
    )
    home.send(seconds=MINUTE)
    home.send(seconds=MINUTE)
    first, second = home.orders(scan)
    assert (first.outcome, first.reason) == (Outcome.FAILED, "the turn had passed")
    assert (second.attempt, second.state) == (2, OrderState.WAITING)


def test_pauses_between_sends_double_up_to_a_minute() -> None:
    assert [backoff(sends, 0.0) for sends in range(4)] == [1.0, 2.0, 4.0, 8.0]
    assert backoff(1, 1.0) == 4.0
    assert backoff(1_000_000, 1.0) == 60.0


def test_nothing_is_sent_while_no_url_can_be_signed_for_as_long_as_it_is_needed(
    home: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expiring(_key: str, *, seconds: float, typed: bool) -> None:
        assert not typed
        raise StoreError(f"the credential ends before the {seconds:.0f} s that a URL must live")

    scan = home.register("essay")
    home.request(scan)
    with monkeypatch.context() as expired:
        expired.setattr(home.store, "sign_upload", expiring)
        home.send(seconds=MINUTE)
    assert sent(home) == []
    [order] = home.orders(scan)
    assert (order.state, "credential ends" in order.reason) == (OrderState.QUEUED, True)
    home.send(seconds=2 * MINUTE)
    assert sent(home) == ["essay"]


def test_pauses_grow_with_each_turn_although_nothing_left(
    home: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = home.register("essay")
    home.request(scan)
    moments: list[float] = []

    async def limited_login(_: Placement) -> None:
        moments.append(home.now)
        raise error(VendorUnavailable)

    monkeypatch.setattr(home.vendor, "place", limited_login)
    home.send(seconds=5 * MINUTE)
    gaps = [after - before for before, after in pairwise(moments)]
    assert gaps[-1] >= MINUTE / 2
    assert home.newest(scan).sends == 0


@pytest.mark.parametrize(
    "answer",
    [None, error(VendorUnavailable), refusal("pdf_report"), refusal(), error(ScanGone)],
    ids=["accepted", "broken connection", "refused", "refused without a word", "gone"],
)
def test_a_completion_before_the_vendors_answer_counts_more_than_the_answer(
    home: Stepped, answer: Exception | None
) -> None:
    scan = home.register("essay")
    home.request(scan)

    def complete_first(placement: Placement) -> None:
        home.complete(placement.order)
        home.write(note_letters, home.look(read_letters, home.pipeline(), 10))
        if answer is not None:
            raise answer

    home.upload(home.orders(scan)[0])
    home.vendor.answers.append(complete_first)
    home.send()
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert len(home.vendor.placed) == 1
