"""Failed scans are shown as failed, by name and reason, and everything else is not."""

from collections.abc import Iterator

import pytest

from export_pipeline.defs.batch import FAILURES_SHOWN, Result
from export_pipeline.ledger import placed
from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.defs.lab import EVERYTHING, Lab, asset_key, reason
from export_pipeline_tests.defs.lab import lab as make_lab


def test_a_scan_gone_at_the_vendor_is_the_one_failed_of_six(lab: Lab) -> None:
    keys = lab.register(count=6)
    lab.delete(keys[2])
    result = lab.materialize(keys)
    assert not result.success
    assert lab.failed("bag") == {keys[2]}
    assert set(lab.shown(result, "bag")) == set(keys) - {keys[2]}
    assert "1 of 6 scans failed" in reason(result)
    assert keys[2] in reason(result)
    assert "expired at vendor" in reason(result)


def test_only_what_failed_has_a_check_of_its_own(lab: Lab) -> None:
    keys = lab.register(count=3)
    lab.delete(keys[0])
    found = [
        one
        for one in lab.evaluations(lab.materialize(keys))
        if one.asset_key == asset_key("overview")
    ]
    assert {(one.partition, one.passed) for one in found} == {(keys[0], False), (None, False)}
    (summary,) = [one for one in found if one.partition is None]
    assert list(summary.metadata["reasons"].value) == [keys[0]]


def test_what_failed_is_ordered_again_even_where_order_is_not_selected(lab: Lab) -> None:
    """ "Re-execute from failure" selects the failed assets, and `order` went well."""
    (name,) = lab.names(1)
    (key,) = lab.register(ScanSpec(name, results=1, traits=("never_delivers",)))
    assert not lab.materialize([key]).success
    assert lab.state(key) == "failed"
    lab.world.create([ScanSpec(name, results=1)])
    assert lab.materialize([key], EVERYTHING[1:]).success
    assert lab.state(key) == "archived"


def test_a_subset_of_a_failed_scan_orders_that_alone(lab: Lab) -> None:
    (name,) = lab.names(1)
    (key,) = lab.register(ScanSpec(name, results=1, traits=("never_delivers",)))
    assert not lab.materialize([key]).success
    before = lab.orders([key])
    lab.world.create([ScanSpec(name, results=1)])
    result = lab.materialize([key], ["order", "overview"])
    assert set(lab.shown(result, "overview")) == {key}
    (order,) = [one for one in lab.orders([key]) if one not in before]
    assert order["artifacts"] == ["overview"]


def test_a_failure_over_1000_scans_stays_small_and_counts_them_all() -> None:
    reasons = {(f"scan-{number}", "bag"): "x" * 200 for number in range(1_000)}
    failure = Result(1_000, reasons).failure()
    assert "1000 of 1000 scans failed" in (failure.description or "")
    assert "and 995 more" in (failure.description or "")
    assert len(failure.metadata["failed"].value) == FAILURES_SHOWN  # type: ignore[arg-type]
    assert len(str(failure.metadata)) < 50_000


@pytest.fixture(scope="module")
def slow_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One in which the quota lets one order through within what a run waits."""
    slow = {"EXPORT_COPYLEAKS_EXPORTS_PER_MINUTE": "10", "EXPORT_RUN_WAIT": "3"}
    with make_lab(tmp_path_factory.mktemp("slow"), **slow) as made:
        yield made


def test_what_the_quota_keeps_back_is_materialized_later_without_hands(
    slow_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = slow_lab.register(count=3)
    result = slow_lab.materialize(keys)
    said = "still waiting at the vendor, nothing to do: the collect sensor will materialize them"
    assert said in reason(result)
    waiting = slow_lab.failed("bag")
    assert waiting
    assert slow_lab.materialized("order") == set(keys)
    monkeypatch.setenv("EXPORT_COPYLEAKS_EXPORTS_PER_MINUTE", "6000")
    slow_lab.forget_quota()
    assert slow_lab.tick("queue").run_requests
    assert slow_lab.job("send").success
    slow_lab.world.until(lambda: bool(slow_lab.tick("export_completed").run_requests))
    assert slow_lab.job("collect").success
    assert slow_lab.materialized("bag") == set(keys)
    assert slow_lab.failed("bag") == set()
    assert slow_lab.world.look(placed.has_completed, "copyleaks") is False
