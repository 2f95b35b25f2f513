"""HookBridge's schedule: it registers the daily windows that are over."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
import sqlalchemy as sa

from export_pipeline.defs.hookbridge import HOOKBRIDGE, hookbridge
from export_pipeline.ledger import events
from export_pipeline.ledger.schema import scans
from export_pipeline.settings import Settings
from export_pipeline_tests.defs.homes import home_in, ledger_of, with_resources

NAME = "hookbridge_windows"
NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    set_clock(monkeypatch, NOW)
    with home_in(tmp_path, monkeypatch, {"EXPORT_HOOKBRIDGE_KEY": "hb_test_key"}) as settings:
        yield settings


def set_clock(patch: pytest.MonkeyPatch, moment: datetime) -> None:
    clock = SimpleNamespace(time=moment.timestamp)
    patch.setattr("export_pipeline.defs.hookbridge.time", clock)


@pytest.fixture
def defs(settings: Settings) -> dg.Definitions:
    return with_resources(hookbridge(settings))


def run(defs: dg.Definitions, **config: str) -> bool:
    ops = {"ops": {f"{NAME}_op": {"config": config}}}
    job = defs.resolve_job_def(NAME)
    return job.execute_in_process(run_config=ops, raise_on_error=False).success


def registered(settings: Settings) -> list[tuple[str, str]]:
    with ledger_of(settings) as ledger, ledger.read() as tx:
        found = tx.all(sa.select(scans.c.account, scans.c.scan).order_by(scans.c.id))
    return [(row.account, row.scan) for row in found]


def test_a_night_registers_yesterday_and_the_next_run_nothing_new(
    defs: dg.Definitions, settings: Settings
) -> None:
    assert run(defs)
    assert run(defs)
    assert registered(settings) == [("default", "2026-11-21")]


def test_a_night_registers_every_day_since_the_last_one_that_was_registered(
    defs: dg.Definitions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days on which nothing ran, a run by hand among them, leave no gap."""
    with monkeypatch.context() as earlier:
        set_clock(earlier, NOW - timedelta(days=4))
        assert run(defs)
    assert run(defs, start="2026-11-21")
    assert run(defs)
    days = [f"2026-11-{day}" for day in range(17, 22)]
    assert sorted(registered(settings)) == [("default", day) for day in days]


def test_every_day_since_the_start_is_registered_for_every_account(
    defs: dg.Definitions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_HOOKBRIDGE_START", "2026-11-19")
    monkeypatch.setenv("EXPORT_HOOKBRIDGE_ACCOUNTS", "eu")
    monkeypatch.setenv("EXPORT_HOOKBRIDGE_EU_KEY", "hb_test_eu_key")
    assert run(defs)
    days = ["2026-11-19", "2026-11-20", "2026-11-21"]
    assert registered(settings) == [(one, day) for one in ("default", "eu") for day in days]


def test_a_run_by_hand_registers_the_days_that_it_is_given(
    defs: dg.Definitions, settings: Settings
) -> None:
    assert run(defs, start="2024-02-28", until="2024-03-02")
    assert [scan for _, scan in registered(settings)] == ["2024-02-28", "2024-02-29", "2024-03-01"]
    with ledger_of(settings) as ledger, ledger.read() as tx:
        (event,) = events.history(tx, 1)
    assert (event.event, event.detail) == ("registered", {"source": "schedule"})


@pytest.mark.parametrize("config", [{"start": "yesterday"}, {"until": "2024-02-30"}])
def test_a_day_that_is_none_fails_the_run(
    defs: dg.Definitions, settings: Settings, config: dict[str, str]
) -> None:
    assert not run(defs, **config)
    assert registered(settings) == []


def test_the_schedule_starts_it_before_the_queue_is_filled(defs: dg.Definitions) -> None:
    windows, nightly = (defs.resolve_schedule_def(name) for name in (NAME, "hookbridge_nightly"))
    assert windows.default_status == dg.DefaultScheduleStatus.RUNNING
    minutes = []
    for schedule in (windows, nightly):
        minute, hour, *_ = str(schedule.cron_schedule).split()
        minutes.append(int(hour) * 60 + int(minute))
    assert minutes[0] < minutes[1]
    moment = datetime.combine(date(2026, 11, 22), datetime.min.time(), UTC)
    with dg.build_schedule_context(scheduled_execution_time=moment) as context:
        (request,) = windows.evaluate_tick(context).run_requests
    assert request.tags["vendor"] == "hookbridge"


def test_its_assets_are_an_order_the_file_and_the_bag(defs: dg.Definitions) -> None:
    keys = {key.to_user_string() for key in defs.resolve_all_asset_keys()}
    assert keys == {"hookbridge/order", "hookbridge/csv", "hookbridge/bag"}
    assert HOOKBRIDGE.is_asked


def test_a_run_registers_for_the_others_and_fails_with_the_account_that_is_set_wrongly(
    defs: dg.Definitions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_HOOKBRIDGE_ACCOUNTS", "eu")
    assert not run(defs)
    assert {account for account, _ in registered(settings)} == {"default"}
