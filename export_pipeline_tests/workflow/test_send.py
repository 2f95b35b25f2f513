"""The sender: whose turn it is, and what each answer of the vendor leads to."""

from itertools import pairwise

import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    ConfigError,
    DuplicateOrder,
    OrderInvalid,
    OrderRefused,
    RateLimited,
    ScanGone,
    StoreError,
    TurnMissed,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger import quotas
from export_pipeline.ledger.rows import OrderState, QueueClass, ScanState
from export_pipeline.vendors.vendor import Placement
from export_pipeline.workflow.collect import _read_completions as note_letters
from export_pipeline.workflow.rest import LOGIN_COOLDOWN_SECONDS
from export_pipeline.workflow.send import (
    BACKLOG_SHARE,
    SENDING_SECONDS,
    _claim,
    backoff,
)
from export_pipeline_tests.workflow.stepped import SINGLES, Stepped

MINUTE = 60.0
DOUBTFUL = {name: True for name in SINGLES if name != "pdf_report"}
"""What a record tells that says nothing of the PDF."""


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
    claims = [home.write(_claim, home.pipeline(), "default") for _ in range(10)]
    assert [claim.number for claim in claims] == list(range(1, 11))


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


def test_a_429_cools_the_account_down_for_every_process(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.append(limited(90))
    home.send(seconds=MINUTE)
    assert sent(home) == ["essay"]
    assert home.look(quotas.cooldown, "copyleaks", "default")[0] > home.now
    home.send(seconds=MINUTE)
    assert sent(home) == ["essay", "essay"]
    assert home.newest(scan).state == OrderState.WAITING


def test_a_429_without_a_time_rests_for_a_whole_window(home: Stepped) -> None:
    home.request(home.register("essay"))
    home.vendor.answers.append(limited(None))
    home.send(seconds=50)
    assert sent(home) == ["essay"]


def test_a_429_repeats_the_same_id(home: Stepped) -> None:
    home.request(home.register("essay"))
    home.vendor.answers.append(limited(1))
    home.send(seconds=MINUTE)
    first, second = home.vendor.placed
    assert first.order.id == second.order.id


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


@pytest.mark.parametrize(
    "problem",
    [
        error(AuthenticationFailed, "the key is wrong"),
        ConfigError("its address is not an http or https URL: correct it"),
    ],
    ids=["credentials", "address"],
)
def test_what_a_person_must_correct_leaves_orders_queued_with_the_reason(
    home: Stepped, problem: Exception
) -> None:
    scans = [home.register(f"essay-{number}") for number in range(2)]
    for scan in scans:
        home.request(scan)
    home.vendor.answers.append(problem)
    home.send(seconds=MINUTE)
    assert len(home.vendor.placed) == 1
    orders = [home.newest(scan) for scan in scans]
    assert {order.state for order in orders} == {OrderState.QUEUED}
    assert str(problem) in {order.reason for order in orders}
    rests_until, why, _ = home.look(quotas.cooldown, "copyleaks", "default")
    assert rests_until > home.now
    assert why == str(problem)
    home.now += LOGIN_COOLDOWN_SECONDS
    home.send()
    assert {home.newest(scan).state for scan in scans} == {OrderState.WAITING}


def test_days_with_wrong_credentials_do_not_use_up_the_deadline(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.append(error(AuthenticationFailed))
    home.send(seconds=MINUTE)
    home.now += 10 * home.settings.order_deadline
    home.send(seconds=MINUTE)
    deadline = home.newest(scan).deadline
    assert deadline is not None
    assert deadline > home.now


def test_a_503_is_backed_off_within_the_deadline(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.extend([error(VendorUnavailable)] * 3)
    home.send(seconds=5 * MINUTE)
    assert [one.order.attempt for one in home.vendor.placed] == [1, 1, 1, 1]
    assert home.newest(scan).state == OrderState.WAITING


def test_a_vendor_down_past_the_deadline_gets_the_next_attempt(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.extend([error(VendorUnavailable)] * 2)
    home.send(seconds=1)
    home.now += home.settings.order_deadline
    home.send(seconds=MINUTE)
    assert [one.order.attempt for one in home.vendor.placed] == [1, 1, 2]
    assert home.newest(scan).attempt == 2


def test_an_order_limited_past_its_deadline_gets_the_next_attempt(home: Stepped) -> None:
    """Each 429 began the order's time anew, so that it never ended."""
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.extend([limited(None)] * 2)
    home.send(seconds=1)
    first = home.newest(scan).deadline
    home.now += home.settings.order_deadline
    home.send(seconds=3 * MINUTE)
    assert [one.order.attempt for one in home.vendor.placed] == [1, 1, 2]
    second = home.newest(scan).deadline
    assert first is not None
    assert second is not None
    assert second >= first + home.settings.order_deadline


def test_a_vendor_that_limits_every_call_fails_the_scan_in_the_end(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.extend([limited(None)] * 100)
    for _ in range(2 * home.settings.attempts):
        home.send(seconds=1)
        home.now += home.settings.order_deadline
    assert home.scan(scan).state == ScanState.FAILED
    assert "slow down" in home.scan(scan).reason


def test_a_turn_that_passed_leaves_the_deadline_as_it_is(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.append(TurnMissed("the turn had passed"))
    began = home.now
    home.send(seconds=MINUTE)
    assert len(home.vendor.placed) == 2
    deadline = home.newest(scan).deadline
    assert deadline is not None
    assert deadline <= began + 1 + home.settings.order_deadline


def test_a_vendor_down_for_all_attempts_fails_the_scan_and_blames_no_absence(
    home: Stepped,
) -> None:
    scan = home.register("essay", enabled=None)
    home.request(scan)
    home.vendor.answers.extend([error(VendorUnavailable, "down")] * 100)
    for _ in range(2 * home.settings.attempts):
        home.send(seconds=1)
        home.now += home.settings.order_deadline
    assert home.scan(scan).state == ScanState.FAILED
    assert set(home.states(scan).values()) == {"missing"}
    assert "down" in home.scan(scan).reason


def test_pauses_between_sends_double_up_to_a_minute() -> None:
    assert [backoff(sends, 0.0) for sends in range(4)] == [1.0, 2.0, 4.0, 8.0]
    assert backoff(1, 1.0) == 4.0
    assert backoff(1_000_000, 1.0) == 60.0


def test_a_refused_order_is_sent_without_what_the_refusal_names(home: Stepped) -> None:
    scan = home.register("essay", enabled=DOUBTFUL)
    home.request(scan)
    home.vendor.answers.append(refusal("pdf_report"))
    home.send()
    assert home.states(scan)["pdf_report.pdf"] == "absent"
    assert "pdf_report.pdf" not in home.asked(home.vendor.placed[1])
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_a_refusal_that_names_nothing_orders_each_uncertain_artifact_alone(home: Stepped) -> None:
    scan = home.register("essay", enabled=None)
    home.request(scan)
    home.vendor.answers.append(refusal())
    home.send()
    asked = [home.asked(one) for one in home.vendor.placed[1:]]
    assert asked[0] == ["crawled_version.json", "results/r1.json", "results/r2.json"]
    assert sorted(asked[1:]) == [
        ["ai_detection.json"],
        ["overview.json"],
        ["pdf_report.pdf"],
        ["writing_feedback.json"],
    ]


def test_nothing_is_lost_by_a_refusal_that_names_nothing(home: Stepped) -> None:
    scan = home.register("essay", enabled=None)
    home.request(scan)

    def no_pdf(placement: Placement) -> None:
        if "pdf_report.pdf" in placement.targets:
            raise refusal()

    home.vendor.answers.extend([no_pdf] * 6)
    home.send(seconds=2 * MINUTE)
    for order in home.orders(scan):
        if order.state == OrderState.WAITING:
            home.deliver(order)
    home.collect()
    states = home.states(scan)
    assert states.pop("pdf_report.pdf") == "absent"
    assert set(states.values()) == {"verified"}
    assert home.scan(scan).state == ScanState.ARCHIVED


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_refusals_never_cost_an_artifact_that_the_vendor_would_have_given(
    home: Stepped, attempts: int
) -> None:
    """At the last attempt, what a refusal did not even name was given up as missing."""
    object.__setattr__(home, "settings", home.settings.model_copy(update={"attempts": attempts}))
    scan = home.register("essay", enabled=None)
    home.request(scan)
    kinds = ("pdf_report", "ai_detection", "overview", "writing_feedback")
    home.vendor.answers.extend(refusal(kind) for kind in kinds)
    home.send(seconds=2 * MINUTE)
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.states(scan)["crawled_version.json"] == "verified"


def test_a_refused_certain_artifact_is_missing_with_the_vendors_reason(home: Stepped) -> None:
    scan = home.ordered("other")
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.append(refusal("overview"))
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.PARTIAL
    assert "overview.json" in home.scan(scan).reason


def test_a_refused_result_costs_that_result_alone(home: Stepped) -> None:
    """All results of the order were given up for one."""
    scan = home.register("essay", results=["r1", "r2", "r3"])
    home.request(scan)
    home.vendor.answers.append(refusal("results", vendor_names=("r2",)))
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    states = home.states(scan)
    assert states.pop("results/r2.json") == "missing"
    assert set(states.values()) == {"verified"}
    assert len(home.vendor.placed) == 2


def test_nothing_is_sent_while_no_url_can_be_signed_for_as_long_as_it_is_needed(
    home: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expiring(_key: str, *, seconds: float) -> None:
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


def test_an_order_that_could_not_even_be_sent_fails_once_and_blames_no_absence(
    home: Stepped,
) -> None:
    """An id that the vendor does not allow was taken for a refusal of its uncertain artifacts."""
    scan = home.register("essay", enabled=DOUBTFUL)
    home.request(scan)
    home.vendor.answers.append(error(OrderInvalid, "not sent, the id is none of the vendor's"))
    home.send(seconds=MINUTE)
    assert len(sent(home)) == 1
    assert home.scan(scan).state == ScanState.FAILED
    assert "not sent" in home.scan(scan).reason


def test_a_scan_that_is_gone_costs_exactly_one_call(home: Stepped) -> None:
    scan = home.register("thesis", results=[f"r{number:04}" for number in range(1_001)])
    home.request(scan)
    home.vendor.answers.append(error(ScanGone))
    home.send(seconds=1)
    home.now += 10 * home.settings.order_deadline
    home.reconcile()
    home.send()
    assert len(home.vendor.placed) == 1
    assert home.scan(scan).state == ScanState.EXPIRED
    assert "expired at vendor" in home.scan(scan).reason


def test_a_subset_of_a_scan_that_is_gone_ends_as_expired_too(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan, kinds={"pdf_report"}, wants_bag=False)
    home.vendor.answers.append(error(ScanGone))
    home.send()
    assert home.scan(scan).state == ScanState.EXPIRED


def test_a_scan_that_goes_after_its_first_part_is_sealed_as_partial(home: Stepped) -> None:
    scan = home.register("thesis", results=[f"r{number:04}" for number in range(1_001)])
    home.request(scan)
    home.vendor.answers.extend([lambda _: None, error(ScanGone)])
    home.send()
    first = next(one for one in home.orders(scan) if one.state == OrderState.WAITING)
    home.upload(first, {"crawled_version.json", "overview.json"})
    home.now += home.settings.order_deadline
    for _ in range(home.settings.attempts):
        home.reconcile()
        home.vendor.answers.append(error(ScanGone))
        home.send()
    home.reconcile()
    assert home.scan(scan).state == ScanState.PARTIAL
    assert len(home.vendor.placed) == 3


def test_a_duplicate_id_means_that_an_earlier_send_arrived(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    home.vendor.answers.append(error(DuplicateOrder))
    home.send()
    assert home.newest(scan).state == OrderState.WAITING


def test_a_send_whose_process_died_is_repeated_by_the_same_id(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)

    def die(_: Placement) -> None:
        raise MemoryError

    home.vendor.answers.append(die)
    with pytest.raises(BaseExceptionGroup):
        home.send()
    assert home.newest(scan).state == OrderState.SENDING
    home.now += SENDING_SECONDS
    home.reconcile()
    home.send()
    first, second = home.vendor.placed
    assert first.order.id == second.order.id
    assert "queued again: its sender died" in home.events(scan)


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
        home.write(note_letters, home.pipeline(), 10)
        if answer is not None:
            raise answer

    home.upload(home.orders(scan)[0])
    home.vendor.answers.append(complete_first)
    home.send()
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert len(home.vendor.placed) == 1
