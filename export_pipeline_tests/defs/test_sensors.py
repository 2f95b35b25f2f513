"""The sensors: bounded, without network, and never two runs for one thing."""

import json
import socket
from collections.abc import Iterator

import dagster as dg
import pytest

from export_pipeline.defs import sensors
from export_pipeline.ledger import admission, inbox, leases, orders, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline_tests.defs.lab import Lab, reason
from export_pipeline_tests.defs.lab import lab as make_lab

HOSTILE = 'a/../b%2f;:"<x>'
SENSORS = ("scan_completed", "queue", "export_completed", "reconciler")


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """An empty ledger for each test."""
    with make_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


def post(tx: Tx, *bodies: bytes) -> None:
    for body in bodies:
        inbox.receive(
            tx,
            vendor="copyleaks",
            account="default",
            topic=inbox.SCANS,
            subject="completed",
            headers={},
            body=body,
        )


def completed(scan: str) -> bytes:
    return json.dumps(
        {
            "scannedDocument": {"scanId": scan, "totalWords": 5, "totalExcluded": 0},
            "results": {"internet": [], "database": [], "batch": [], "repositories": []},
            "status": 0,
        }
    ).encode()


def test_an_empty_ledger_starts_nothing(lab: Lab) -> None:
    for name in SENSORS:
        found = lab.tick(name)
        assert found.run_requests == []
        assert found.skip_message


def test_no_sensor_uses_the_network(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = lab.register(count=2)
    lab.materialize(keys[:1], ["order"])

    def refuse(*_: object) -> None:
        raise AssertionError("a sensor opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    for name in SENSORS:
        assert lab.tick(name)


def test_completed_scans_get_partitions_under_an_escaped_key(lab: Lab) -> None:
    assert lab.register(ScanSpec(HOSTILE)) == lab.partitions()
    assert ScanKey.from_partition_key("copyleaks", lab.partitions()[0]).scan == HOSTILE


def test_a_webhook_that_comes_twice_registers_once(lab: Lab) -> None:
    lab.world.write(post, completed("twice"), completed("twice"))
    lab.tick("scan_completed")
    lab.tick("scan_completed")
    assert lab.partitions() == ["twice"]


def test_more_webhooks_than_a_tick_takes_are_all_registered_over_the_next(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "LETTERS_PER_TICK", 300)
    lab.world.write(post, *(completed(f"scan-{number}") for number in range(701)))
    counts = []
    for _ in range(3):
        lab.tick("scan_completed")
        counts.append(len(lab.partitions()))
    assert counts == [300, 600, 701]


def test_webhooks_that_register_nothing_do_not_hold_up_those_behind_them(lab: Lab) -> None:
    lab.world.write(post, *[b"{}"] * 150, completed("behind"))
    lab.tick("scan_completed")
    assert lab.partitions() == ["behind"]


def test_a_webhook_that_cannot_be_read_is_set_aside_and_counted(lab: Lab) -> None:
    lab.world.write(post, b'{"no": "scan"}', completed("good"))
    lab.tick("scan_completed")
    assert lab.partitions() == ["good"]
    assert lab.world.look(inbox.count_rejected) == 1


@pytest.mark.parametrize("is_started", [False, True])
def test_no_second_run_is_requested_while_one_is_unfinished(lab: Lab, is_started: bool) -> None:
    keys = lab.register(count=1)
    lab.materialize(keys, ["order"])
    assert len(lab.tick("queue").run_requests) == 1
    run = run_of(lab, "copyleaks_send", is_started=is_started)
    found = lab.tick("queue")
    assert found.run_requests == []
    assert "a run of copyleaks_send is at it" in found.skip_message
    lab.instance.report_run_failed(run)
    assert len(lab.tick("queue").run_requests) == 1


def run_of(lab: Lab, job: str, *, is_started: bool) -> dg.DagsterRun:
    """A run that another process is about to start, or has started."""
    found = {one.name: one for one in lab.defs.resolve_all_job_defs()}
    run = lab.instance.create_run_for_job(found[job], tags={"vendor": "copyleaks"})
    if is_started:
        event = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, job)
        lab.instance.report_dagster_event(event, run.run_id)
    return run


def test_scans_beyond_the_active_limit_wait_for_sealed_ones_to_make_room(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_ACTIVE_SCANS", "3")
    names = lab.registered(5)
    lab.tick("scan_completed")
    assert lab.partitions() == names[:3]
    lab.world.write(archived, names[:2])
    assert lab.job("retire").success
    lab.tick("scan_completed")
    assert lab.partitions() == names[2:]


def archived(tx: Tx, names: list[str]) -> None:
    for name in names:
        scan = registry.get(tx, ScanKey("copyleaks", "default", name))
        registry.settle(tx, scan.id, registry.ScanState.ARCHIVED)


def test_an_activated_scan_gets_its_partition_whatever_the_limit(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_ACTIVE_SCANS", "1")
    names = lab.registered(3)
    lab.tick("scan_completed")
    lab.world.write(admission.activate, lab.world.scan(names[2]).id)
    lab.tick("scan_completed")
    assert set(lab.partitions()) == {names[0], names[2]}


def test_partitions_are_added_again_where_a_crash_came_before_the_ledger_knew(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = lab.registered(2)

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(dg.DagsterInstance, "add_dynamic_partitions", crash)
        with pytest.raises(Exception, match="crash"):
            lab.tick("scan_completed")
    lab.tick("scan_completed")
    assert lab.partitions() == names


def test_orders_of_an_account_without_credentials_are_named_as_the_reason(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = lab.register(count=1)
    lab.materialize(keys, ["order"])
    monkeypatch.delenv("EXPORT_COPYLEAKS_EMAIL")
    monkeypatch.delenv("EXPORT_COPYLEAKS_KEY")
    found = lab.tick("queue")
    assert found.run_requests == []
    assert "EXPORT_COPYLEAKS_EMAIL" in found.skip_message


def test_an_account_that_is_set_wrongly_is_the_reason_of_a_skip(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_COPYLEAKS_ACCOUNTS", "eu")
    monkeypatch.setenv("EXPORT_COPYLEAKS_EU_KEY", "k")
    said = "EXPORT_COPYLEAKS_EU_EMAIL is not set: account 'eu' needs it"
    assert lab.tick("queue").skip_message == said
    lab.register(count=1)
    assert lab.tick("queue").skip_message == said


def test_a_setting_that_cannot_be_used_is_the_reason_of_a_skip(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_ORDER_PATIENCE", "soon")
    for name in SENSORS:
        assert "EXPORT_ORDER_PATIENCE" in lab.tick(name).skip_message


def test_a_run_by_hand_without_credentials_fails_and_names_the_variables(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = lab.register(count=2)
    monkeypatch.delenv("EXPORT_COPYLEAKS_EMAIL")
    monkeypatch.delenv("EXPORT_COPYLEAKS_KEY")
    result = lab.materialize(keys)
    assert "2 of 2 scans failed" in reason(result)
    assert "set EXPORT_COPYLEAKS_EMAIL and EXPORT_COPYLEAKS_KEY" in reason(result)
    assert lab.world.look(orders.count_by_state) == {}


def test_the_reconciler_fails_a_run_whose_lease_expired_and_no_other(lab: Lab) -> None:
    orphan = run_of(lab, "copyleaks_send", is_started=True)
    living = run_of(lab, "copyleaks_collect", is_started=True)
    lab.world.write(leases.acquire, f"run:{orphan.run_id}", orphan.run_id, -1.0)
    lab.world.write(leases.acquire, f"run:{living.run_id}", living.run_id, 60.0)
    lab.tick("reconciler")
    assert status(lab, orphan) == dg.DagsterRunStatus.FAILURE
    assert status(lab, living) == dg.DagsterRunStatus.STARTED


def status(lab: Lab, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = lab.instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_the_reconciler_fails_a_run_that_died_before_it_took_its_lease(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in the second between Dagster's start of the run and ours left it STARTED for ever,
    and no sensor would start another."""
    run = run_of(lab, "copyleaks_send", is_started=True)
    lab.tick("reconciler")
    assert status(lab, run) == dg.DagsterRunStatus.STARTED
    monkeypatch.setattr("export_pipeline.defs.runs.STARTUP_SECONDS", -1.0)
    lab.tick("reconciler")
    assert status(lab, run) == dg.DagsterRunStatus.FAILURE
