"""The op jobs that sensors and schedules start."""

import pytest

from export_pipeline.defs import jobs
from export_pipeline.ledger import turns
from export_pipeline.ledger.rows import QueueClass
from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.defs.lab import EVERYTHING, Lab, asset_key, reason


def test_scattered_scans_are_archived_in_one_run(lab: Lab) -> None:
    keys = lab.register(count=5)
    result = lab.job("archive", partition_keys=[keys[4], keys[0], keys[2]])
    assert result.success
    assert all(set(lab.shown(result, asset)) == {keys[0], keys[2], keys[4]} for asset in EVERYTHING)


def test_a_scan_that_failed_is_a_failed_partition_with_the_reason(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    lab.delete(key)
    result = lab.job("archive", partition_keys=[key])
    assert not result.success
    assert key in lab.failed("bag")
    checks = {
        one.partition: one
        for one in lab.evaluations(result)
        if one.asset_key == asset_key("overview")
    }
    assert {partition: one.passed for partition, one in checks.items()} == {key: False, None: False}
    assert "expired at vendor" in (checks[key].description or "")
    (seen,) = [
        event
        for event in lab.events(result)
        if event.is_asset_observation and event.asset_key == asset_key("overview")
    ]
    assert seen.partition == key
    assert "expired at vendor" in str(seen.asset_observation_data.asset_observation.metadata)


def test_what_cannot_even_be_ordered_is_a_failed_partition_with_the_reason_too(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood in the run's failure only, and the partition stayed as it was."""
    lab.instance.add_dynamic_partitions("copyleaks_scans", ["nobody-knows-it"])
    (key,) = lab.register(count=1)
    monkeypatch.delenv("EXPORT_COPYLEAKS_EMAIL")
    monkeypatch.delenv("EXPORT_COPYLEAKS_KEY")
    result = lab.job("archive", partition_keys=[key, "nobody-knows-it", "not-even-a-partition"])
    assert "3 of 3 scans failed" in reason(result)
    assert lab.failed("bag") >= {key, "nobody-knows-it"}
    assert "not-even-a-partition" not in lab.failed("bag")
    checks = {
        one.partition: one for one in lab.evaluations(result) if one.asset_key == asset_key("bag")
    }
    assert {one.passed for one in checks.values()} == {False}
    assert set(checks) == {key, "nobody-knows-it", None}
    assert "set EXPORT_COPYLEAKS_EMAIL" in (checks[key].description or "")
    assert "is not registered" in (checks["nobody-knows-it"].description or "")
    assert checks[None].metadata["failed"].value == 3


def test_a_scan_that_failed_behind_the_scenes_is_a_failed_partition_too(lab: Lab) -> None:
    failing, fine = lab.register(count=2)
    lab.materialize([failing, fine], ["order"])
    lab.delete(failing)
    lab.job("send")
    lab.world.until(lambda: bool(lab.tick("export_completed").run_requests))
    result = lab.job("collect")
    assert f"{failing}: " in reason(result)
    assert "expired at vendor" in reason(result)
    assert lab.failed("bag") & {failing, fine} == {failing}
    assert fine in lab.materialized("bag")
    summary = [one for one in lab.evaluations(result) if one.partition is None]
    of_bag = next(one for one in summary if one.asset_key == asset_key("bag"))
    assert not of_bag.passed
    assert "expired at vendor" in of_bag.metadata["reasons"].value[failing]


def test_collect_adds_the_partition_of_a_scan_that_has_none_and_shows_it(lab: Lab) -> None:
    (key,) = lab.register(count=1)
    lab.world.write(lambda tx: tx.connection.exec_driver_sql("UPDATE scans SET admitted_at = NULL"))
    for one in lab.partitions():
        lab.instance.delete_dynamic_partition("copyleaks_scans", one)
    lab.job("queue", queue_class="nightly")
    lab.job("send")
    lab.world.until(lambda: bool(lab.tick("export_completed").run_requests))
    assert lab.job("collect").success
    assert key in lab.partitions()
    assert key in lab.materialized("bag")
    assert lab.world.scan(key).admitted_at is not None


def test_the_reconciler_finds_what_a_lost_webhook_left(lab: Lab) -> None:
    (name,) = lab.names(1)
    (key,) = lab.register(ScanSpec(name, results=1, traits=("no_completion",)))
    lab.materialize([key], ["order"])
    lab.job("send")
    lab.world.until(lambda: bool(lab.tick("reconciler").run_requests))
    assert lab.job("reconcile").success
    lab.world.until(lambda: lab.state(key) == "archived" or not lab.job("reconcile").success)
    assert key in lab.materialized("bag")


def test_the_nightly_queue_takes_every_registered_scan_once(lab: Lab) -> None:
    names = lab.registered(230)
    lab.job("queue", queue_class="nightly")
    lab.job("queue", queue_class="nightly")
    queued = lab.world.look(turns.count_queued, "copyleaks", QueueClass.NIGHTLY)
    assert queued == len(names)
    clear_queue(lab)


def test_a_class_that_nothing_is_queued_as_is_refused_by_name(lab: Lab) -> None:
    result = lab.job("queue", queue_class="soon")
    assert reason(result) == "queue_class: 'soon' is neither nightly nor backlog"


def test_the_backlog_is_kept_at_its_depth(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "BACKLOG_DEPTH", 120)
    lab.registered(200)
    for _ in range(2):
        assert lab.job("queue", queue_class="backlog").success
        assert lab.world.look(turns.count_queued, "copyleaks", QueueClass.BACKLOG) == 120
    clear_queue(lab)


def clear_queue(lab: Lab) -> None:
    lab.world.write(lambda tx: tx.connection.exec_driver_sql("UPDATE orders SET state = 'closed'"))
    lab.world.write(lambda tx: tx.connection.exec_driver_sql("UPDATE scans SET state = 'failed'"))
