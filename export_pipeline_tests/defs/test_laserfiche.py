"""Laserfiche's discovery: a sensor starts it, a run registers what it finds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
import sqlalchemy as sa

from export_pipeline.defs.laserfiche import laserfiche
from export_pipeline.ledger.schema import cursors, scans
from export_pipeline.sandbox import Sandbox, SandboxOptions
from export_pipeline.sandbox.laserfiche import EntrySpec, LaserficheOptions
from export_pipeline.settings import Settings
from export_pipeline_tests.defs.homes import home_in, ledger_of, with_resources
from export_pipeline_tests.vendors.laserfiche.bench import environment

SEARCH = '{LF:Name="Con*", Type="D"}'


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(laserfiche=LaserficheOptions(pace="fast"))) as running:
        yield running


@pytest.fixture
def settings(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    with home_in(tmp_path, monkeypatch, environment(sandbox)) as settings:
        yield settings


@pytest.fixture
def defs(settings: Settings) -> dg.Definitions:
    return with_resources(laserfiche(settings))


def discovered(defs: dg.Definitions) -> bool:
    job = defs.resolve_job_def("laserfiche_discover")
    return job.execute_in_process(raise_on_error=False).success


def tick(defs: dg.Definitions) -> Any:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(
            instance=instance,
            definitions=defs,
            resources={"laserfiche": defs.resources["laserfiche"]},
        ) as context,
    ):
        return defs.resolve_sensor_def("laserfiche_discovery").evaluate_tick(context)


def kept(settings: Settings) -> tuple[list[str], list[str]]:
    """The scans registered, and the names of the cursors."""
    with ledger_of(settings) as ledger, ledger.read() as tx:
        found = [row.scan for row in tx.all(sa.select(scans.c.scan).order_by(scans.c.scan))]
        names = [row.name for row in tx.all(sa.select(cursors.c.name).order_by(cursors.c.name))]
    return found, names


def test_a_folder_and_a_search_are_registered_and_the_next_run_finds_what_is_new(
    defs: dg.Definitions, settings: Settings, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_LASERFICHE_FOLDER", "2")
    monkeypatch.setenv("EXPORT_LASERFICHE_SEARCH", SEARCH)
    assert discovered(defs)
    named = ["laserfiche/default/folder 2", f"laserfiche/default/search {SEARCH}"]
    assert kept(settings) == (["11", "12", "13", "14"], named)
    new = EntrySpec("new", id=300, parent=2).to_json()
    url = f"{sandbox.addresses['laserfiche_control']}/entries"
    httpx.post(url, json=[new]).raise_for_status()
    assert discovered(defs)
    assert kept(settings)[0] == ["11", "12", "13", "14", "300"]


def test_a_look_that_fails_fails_the_run_and_stops_no_other(
    defs: dg.Definitions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_LASERFICHE_FOLDER", "999999")
    monkeypatch.setenv("EXPORT_LASERFICHE_SEARCH", SEARCH)
    assert not discovered(defs)
    assert kept(settings) == (["12"], [f"laserfiche/default/search {SEARCH}"])


def test_the_sensor_starts_a_look_where_an_account_names_a_source_and_asks_the_vendor_nothing(
    defs: dg.Definitions, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "set EXPORT_LASERFICHE_FOLDER" in tick(defs).skip_message
    monkeypatch.setenv("EXPORT_LASERFICHE_FOLDER", "2")
    (request,) = tick(defs).run_requests
    assert request.tags["dagster/max_retries"] == "0"
    monkeypatch.setenv("EXPORT_LASERFICHE_PASSWORD", "")
    assert "EXPORT_LASERFICHE_PASSWORD are set" in tick(defs).skip_message
    assert sandbox.stats("laserfiche")["calls"] == {}


def test_it_loads_with_nothing_set(tmp_path: Path) -> None:
    found = laserfiche(Settings.from_env({}, tmp_path))
    assert {job.name for job in found.jobs or ()} >= {"laserfiche_discover", "laserfiche_poll"}
