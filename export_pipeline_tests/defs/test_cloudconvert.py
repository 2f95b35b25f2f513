"""CloudConvert's own schedule and sensor: what finished is ordered, what is archived converted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from export_pipeline.defs.cloudconvert import cloudconvert
from export_pipeline.ledger import cursors
from export_pipeline.ledger.schema import scans
from export_pipeline.sandbox import Sandbox, SandboxOptions
from export_pipeline.sandbox.cloudconvert import CloudConvertOptions
from export_pipeline.settings import Settings
from export_pipeline_tests.defs.homes import home_in, ledger_of, with_resources
from export_pipeline_tests.vendors.cloudconvert.bench import environment

LONG_AGO = 1_000_000_000.0


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(cloudconvert=CloudConvertOptions(pace="fast"))) as running:
        yield running


@pytest.fixture
def settings(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    with home_in(tmp_path, monkeypatch, environment(sandbox)) as settings:
        yield settings


@pytest.fixture
def defs(settings: Settings) -> dg.Definitions:
    return with_resources(cloudconvert(settings))


def discovered(defs: dg.Definitions) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def("cloudconvert_discover").execute_in_process(raise_on_error=False)


def states(settings: Settings) -> dict[str, str]:
    with ledger_of(settings) as ledger, ledger.read() as tx:
        return {row.scan: row.state for row in tx.all(sa.select(scans.c.scan, scans.c.state))}


def planned(defs: dg.Definitions) -> Any:
    with dg.build_schedule_context(
        resources={"cloudconvert": defs.resources["cloudconvert"]}
    ) as context:
        schedule = defs.resolve_schedule_def("cloudconvert_discovery")
        return schedule.evaluate_tick(context)


def tick(defs: dg.Definitions) -> Any:
    with dg.build_sensor_context(
        definitions=defs, resources={"cloudconvert": defs.resources["cloudconvert"]}
    ) as context:
        return defs.resolve_sensor_def("cloudconvert_pdfa").evaluate_tick(context)


def test_what_finished_is_registered_and_ordered_at_once(
    defs: dg.Definitions, settings: Settings, sandbox: Sandbox
) -> None:
    assert discovered(defs).success
    jobs = sandbox.addresses["examples"]["cloudconvert"]["jobs"]
    assert states(settings) == dict.fromkeys(jobs, "ordered")


def test_with_orders_left_to_others_it_is_only_registered(
    defs: dg.Definitions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_ORDER_ON_WEBHOOK", "false")
    assert discovered(defs).success
    assert set(states(settings).values()) == {"registered"}


def test_a_gap_since_the_last_look_is_warned_of(
    defs: dg.Definitions, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    with ledger_of(settings) as ledger, ledger.write() as tx:
        cursors.save(tx, "cloudconvert/default/jobs", LONG_AGO)
    assert discovered(defs).success
    said = "jobs of account default: what ended from 2001-09-09 01:46 UTC to"
    assert said in capfd.readouterr().err
    assert discovered(defs).success
    assert "what ended from" not in capfd.readouterr().err


def test_an_account_whose_looks_fail_fails_the_run_by_name_and_stops_no_other(
    defs: dg.Definitions,
    settings: Settings,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    key = sandbox.addresses["cloudconvert_key"]
    monkeypatch.setenv("EXPORT_CLOUDCONVERT_KEY", "another-key")
    monkeypatch.setenv("EXPORT_CLOUDCONVERT_ACCOUNTS", "two")
    monkeypatch.setenv("EXPORT_CLOUDCONVERT_TWO_KEY", key)
    with ledger_of(settings) as ledger, ledger.write() as tx:
        cursors.save(tx, "cloudconvert/two/jobs", LONG_AGO)
    assert not discovered(defs).success
    jobs = sandbox.addresses["examples"]["cloudconvert"]["jobs"]
    assert states(settings) == dict.fromkeys(jobs, "ordered")
    told = capfd.readouterr().err
    assert "jobs of account two: what ended from 2001-09-09 01:46 UTC to" in told
    assert "2 of 4 looks failed, the others are done: jobs of account default: " in told
    assert "; tasks of account default: " in told
    assert "correct EXPORT_CLOUDCONVERT_KEY" in told
    assert key not in told


def test_the_schedule_runs_every_hour_where_there_is_something_to_look_for(
    defs: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert defs.resolve_schedule_def("cloudconvert_discovery").cron_schedule == "7 * * * *"
    (request,) = planned(defs).run_requests
    assert request.tags["dagster/max_retries"] == "0"
    monkeypatch.setenv("EXPORT_CLOUDCONVERT_DISCOVER", "none")
    assert "EXPORT_CLOUDCONVERT_DISCOVER" in planned(defs).skip_message
    monkeypatch.setenv("EXPORT_CLOUDCONVERT_DISCOVER", "mail")
    assert "EXPORT_CLOUDCONVERT_DISCOVER.0: " in planned(defs).skip_message


def test_reports_are_converted_only_where_asked_and_with_a_key(
    defs: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tick(defs).skip_message == "EXPORT_PDFA is not set"
    monkeypatch.setenv("EXPORT_PDFA", "1")
    assert tick(defs).skip_message == "ordered 0 conversions"
    monkeypatch.setenv("EXPORT_CLOUDCONVERT_KEY", "")
    monkeypatch.setenv("EXPORT_CLOUDCONVERT_WEBHOOK_SECRET", "")
    assert "set EXPORT_CLOUDCONVERT_KEY" in tick(defs).skip_message


def test_it_loads_with_nothing_set(tmp_path: Path) -> None:
    found = cloudconvert(Settings.from_env({}, tmp_path))
    assert {job.name for job in found.jobs or ()} >= {"cloudconvert_discover", "cloudconvert_poll"}
