"""Alerts from a real Dagster instance to a real receiver of webhooks."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo

from export_pipeline.defs import alerts
from export_pipeline.ledger import alerts as rows
from export_pipeline.sandbox import ScanSpec
from export_pipeline.workflow.alerting import alerts as sending
from export_pipeline_tests.defs.lab import Lab, reason
from export_pipeline_tests.defs.lab import lab as make_lab
from export_pipeline_tests.servers.alert_target import AlertTarget, running_alert_target

HOSTILE = 'a/../b%2f;:"<x>'


@pytest.fixture
def target() -> Iterator[AlertTarget]:
    with running_alert_target() as running:
        yield running


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory, target: AlertTarget) -> Iterator[Lab]:
    """An empty ledger for each test, and the address set."""
    folder = tmp_path_factory.mktemp("lab")
    with (
        # Its own, which ends after a test's `monkeypatch`: that would restore what the lab sets.
        pytest.MonkeyPatch.context() as patch,
        make_lab(folder, EXPORT_ALERT_URL=target.url, EXPORT_ATTEMPTS="1") as made,
    ):
        patch.setattr(sending, "SECONDS_BETWEEN", 0.0)
        yield made


def tick(lab: Lab) -> Any:
    found = lab.defs.resolve_sensor_def("alerts")
    resources = {name: lab.defs.resources[name] for name in ("settings", "ledger")}
    with dg.build_sensor_context(
        instance=lab.instance, definitions=lab.defs, resources=resources
    ) as context:
        return found.evaluate_tick(context)


def told(lab: Lab, target: AlertTarget) -> list[dict[str, Any]]:
    """One look, and the job if the sensor asks for it; what is told by it."""
    before = len(target.taken)
    if tick(lab).run_requests:
        assert send(lab).success
    return [post.json for post in target.taken[before:]]


def send(lab: Lab) -> dg.ExecuteInProcessResult:
    job = lab.defs.resolve_job_def(alerts.JOB)
    return job.execute_in_process(instance=lab.instance, raise_on_error=False)


def test_where_nothing_is_wrong_nothing_runs(lab: Lab, target: AlertTarget) -> None:
    lab.materialize(lab.register(count=1))
    found = tick(lab)
    assert found.run_requests == []
    assert "0 causes" in found.skip_message


def test_a_batch_of_failed_scans_is_one_message_and_not_one_more_for_its_run(
    lab: Lab, target: AlertTarget
) -> None:
    specs = [ScanSpec(name, results=1, traits=("never_delivers",)) for name in (HOSTILE, "essay-2")]
    assert not lab.materialize(lab.register(*specs)).success
    (one,) = told(lab, target)
    assert (one["count"], one["names"]) == (2, [HOSTILE, "essay-2"])
    assert one["command"].startswith("export-pipeline retry --vendor copyleaks --account default ")
    assert told(lab, target) == []


def test_a_batch_whose_scans_are_archived_since_is_over_and_not_told_as_a_run(
    lab: Lab, target: AlertTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = lab.register(ScanSpec("essay-3", results=1, traits=("never_delivers",)))
    lab.materialize([key])
    assert len(told(lab, target)) == 1
    with lab.world.ledger.write() as tx:
        tx.connection.exec_driver_sql("UPDATE scans SET state = 'archived', reason = ''")
    monkeypatch.setattr(rows, "CALM_SECONDS", -1.0)
    (over,) = told(lab, target)
    assert over["state"] == "over"


def test_a_scan_that_was_sealed_without_something_is_told_by_its_name_and_not_by_its_run(
    lab: Lab, target: AlertTarget
) -> None:
    (key,) = lab.register(ScanSpec(HOSTILE, results=1, traits=("never_delivers:pdfReport",)))
    assert not lab.materialize([key]).success
    assert lab.world.scan(HOSTILE).state == "partial"
    (one,) = told(lab, target)
    assert (one["cause"], one["names"]) == ("partial:copyleaks/default", [HOSTILE])
    assert one["title"] == "1 scan of copyleaks account default sealed without something"
    assert one["command"] == (
        "export-pipeline scans list --vendor copyleaks --account default --state partial"
    )


def test_scans_gone_at_the_vendor_are_told_by_name_and_shown_as_failed_and_no_run_is_told(
    lab: Lab, target: AlertTarget
) -> None:
    (key,) = lab.register(ScanSpec(HOSTILE, results=1))
    lab.delete(HOSTILE)
    lab.materialize([key], ["order"])
    assert lab.job("send").success
    assert not lab.job("collect").success, "or Dagster would not show the partition as failed"
    assert lab.world.scan(HOSTILE).state == "expired at vendor"
    assert key in lab.failed("bag")
    (one,) = told(lab, target)
    assert (one["cause"], one["names"]) == ("gone:copyleaks/default", [HOSTILE])
    assert one["title"] == "1 scan of copyleaks account default gone at the vendor"
    assert one["command"].endswith("--account default --state 'expired at vendor'")


def test_what_was_lost_long_ago_is_told_no_more(
    lab: Lab, target: AlertTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = lab.register(ScanSpec("essay-4", results=1, traits=("never_delivers:pdfReport",)))
    lab.materialize([key])
    assert len(told(lab, target)) == 1
    with lab.world.ledger.write() as tx:
        tx.connection.exec_driver_sql("UPDATE events SET at = at - 37 * 3600")
    monkeypatch.setattr(rows, "CALM_SECONDS", -1.0)
    (over,) = told(lab, target)
    assert (over["cause"], over["state"]) == ("partial:copyleaks/default", "over")


def test_a_run_that_only_waits_for_the_vendor_is_no_failure_to_tell(
    lab: Lab, target: AlertTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_RUN_WAIT", "0")
    assert "still waiting" in reason(lab.materialize(lab.register(count=1)))
    assert told(lab, target) == []


def test_refused_credentials_are_one_message_and_not_one_more_for_the_sender_s_run(
    lab: Lab, target: AlertTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.materialize(lab.register(count=1), ["order"])
    monkeypatch.setenv("EXPORT_COPYLEAKS_KEY", "not-the-key")
    assert not lab.job("send").success
    (one,) = told(lab, target)
    assert one["cause"] == "login:copyleaks/default"
    assert "not-the-key" not in str(one)


def test_runs_that_fail_are_one_message_until_one_succeeds(
    lab: Lab, target: AlertTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.register(count=1)
    with monkeypatch.context() as wrong:
        wrong.setenv("EXPORT_STORAGE_URL", "gopher://host/secret?sig=abc")
        runs = [lab.job("collect") for _ in range(3)]
        (one,) = told(lab, target)
    assert (one["cause"], one["count"]) == ("runs:copyleaks_collect", 3)
    assert one["names"][0] == runs[-1].run_id
    assert "EXPORT_STORAGE_URL" in one["reason"]
    assert "sig=abc" not in str(one)
    assert lab.job("collect").success
    monkeypatch.setattr(rows, "CALM_SECONDS", -1.0)
    (over,) = told(lab, target)
    assert (over["cause"], over["state"]) == ("runs:copyleaks_collect", "over")


def test_an_error_that_is_not_ours_is_told_by_its_class_alone(
    lab: Lab, target: AlertTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.register(count=1)

    def leak(*_: object, **__: object) -> None:
        raise KeyError("https://bucket.example/key?X-Amz-Signature=0123")

    with monkeypatch.context() as wrong:
        wrong.setattr("export_pipeline.defs.jobs.collect", leak)
        lab.job("collect")
    (one,) = told(lab, target)
    assert one["reason"] == "KeyError: see its log"


def test_a_run_whose_process_is_gone_is_told_in_the_words_of_who_found_it(
    lab: Lab, target: AlertTarget
) -> None:
    found = {one.name: one for one in lab.defs.resolve_all_job_defs()}
    run = lab.instance.create_run_for_job(found["copyleaks_send"])
    lab.instance.report_run_failed(run, "The process of this run is gone")
    (one,) = told(lab, target)
    assert (one["cause"], one["reason"]) == (
        "runs:copyleaks_send",
        "The process of this run is gone",
    )


def failed_tick(lab: Lab, name: str, at: float, status: TickStatus) -> None:
    """A tick as the daemon notes it."""
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
    origin = RemoteInstigatorOrigin(place, name)
    selector = origin.get_selector().get_id()
    state = InstigatorState(
        origin, InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE, SensorInstigatorData()
    )
    if lab.instance.get_instigator_state(origin.get_id(), selector) is None:
        lab.instance.add_instigator_state(state)
    text = "export_pipeline.errors.LedgerTooNew: a newer release wrote it\n"
    error = SerializableErrorInfo(text, [], "LedgerTooNew")
    lab.instance.create_tick(
        TickData(
            instigator_origin_id=origin.get_id(),
            instigator_name=name,
            instigator_type=InstigatorType.SENSOR,
            status=status,
            timestamp=at,
            run_ids=[],
            run_keys=[],
            error=error if status == TickStatus.FAILURE else None,
            selector_id=selector,
        )
    )


def test_a_sensor_that_fails_twice_is_told_and_one_that_failed_once_is_not(
    lab: Lab, target: AlertTarget
) -> None:
    now = time.time()
    for name, statuses in {
        "copyleaks_queue": (TickStatus.SKIPPED, TickStatus.FAILURE, TickStatus.FAILURE),
        "copyleaks_reconciler": (TickStatus.SKIPPED, TickStatus.FAILURE),
        "hookbridge_queue": (TickStatus.FAILURE, TickStatus.FAILURE, TickStatus.SUCCESS),
        "of_another_project": (TickStatus.FAILURE, TickStatus.FAILURE),
    }.items():
        for place, status in enumerate(statuses):
            failed_tick(lab, name, now + place, status)
    (one,) = told(lab, target)
    assert (one["cause"], one["reason"]) == ("ticks:copyleaks_queue", "a newer release wrote it")


def test_the_sensor_uses_no_network_and_notes_what_is_wrong_without_an_address(
    lab: Lab, target: AlertTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [ScanSpec("essay-1", results=1, traits=("never_delivers",))]
    lab.materialize(lab.register(*specs))
    monkeypatch.delenv("EXPORT_ALERT_URL")

    def refuse(*_: object) -> None:
        raise AssertionError("a sensor opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    found = tick(lab)
    assert "EXPORT_ALERT_URL is unset" in found.skip_message
    assert [one.count for one in lab.world.look(rows.known)] == [1]


def test_a_wrong_address_is_said_and_what_is_wrong_is_noted_all_the_same(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_ALERT_URL", "hooks.slack.com/services/secret")
    found = tick(lab)
    assert "EXPORT_ALERT_URL is not an http" in found.skip_message
    assert lab.world.look(rows.looked_at) is not None


def test_a_failing_address_fails_the_run_that_tells_and_is_no_cause_itself(
    lab: Lab, target: AlertTarget
) -> None:
    lab.materialize(lab.register(ScanSpec("essay-1", traits=("never_delivers",))))
    target.status = 503
    assert tick(lab).run_requests
    assert "127.0.0.1 answers 503" in reason(send(lab))
    assert tick(lab).run_requests == [], "it rests"
    assert [one.cause.split(":")[0] for one in lab.world.look(rows.known)] == ["failed"]


def test_no_second_run_tells_while_one_is_at_it(lab: Lab, target: AlertTarget) -> None:
    lab.materialize(lab.register(ScanSpec("essay-1", traits=("never_delivers",))))
    assert tick(lab).run_requests
    found = {one.name: one for one in lab.defs.resolve_all_job_defs()}
    lab.instance.create_run_for_job(found[alerts.JOB])
    assert tick(lab).run_requests == []
