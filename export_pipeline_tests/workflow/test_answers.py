"""What each answer of the vendor to an order leads to."""

import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    ConfigError,
    OrderInvalid,
    OrderRefused,
    RateLimited,
    ScanGone,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger import quotas
from export_pipeline.ledger.rest import LOGIN_COOLDOWN_SECONDS
from export_pipeline.ledger.rows import OrderState, ScanState
from export_pipeline.vendors.placement import Placement
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


def test_a_sender_does_not_wait_for_a_person(home: Stepped) -> None:
    home.request(home.register("essay"))
    home.vendor.answers.append(error(AuthenticationFailed))
    began = home.now
    home.send(seconds=100 * MINUTE)
    assert home.now - began < MINUTE
    assert len(home.vendor.placed) == 1


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
