"""Dagster's storage as this project's `dagster.yaml` has it differs only in what it costs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from export_pipeline.defs.event_log import (
    BATCH_SIZE_VARIABLE,
    EVENTS_PER_BATCH,
    BatchingEventLog,
    BatchingStorage,
)
from export_pipeline.demo.home import DemoHome

SCANS = [f"scan-{number}" for number in range(30)]
PARTITIONS = dg.StaticPartitionsDefinition(SCANS)
PDF, BAG = dg.AssetKey(["copyleaks", "pdf_report"]), dg.AssetKey(["copyleaks", "bag"])
PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
ROOT = Path(__file__).parents[2]


@dg.multi_asset(
    specs=[dg.AssetSpec(key, skippable=True, partitions_def=PARTITIONS) for key in (PDF, BAG)],
    check_specs=[dg.AssetCheckSpec("opens", asset=PDF)],
    partitions_def=PARTITIONS,
)
def archived(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
    context.log_event(dg.AssetMaterialization(PDF, partition=SCANS[0]))
    yield dg.AssetCheckResult(passed=True, asset_key=PDF, check_name="opens")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BATCH_SIZE_VARIABLE, "")
    monkeypatch.delenv(BATCH_SIZE_VARIABLE)


@contextmanager
def instance(folder: Path, storage: dict[str, Any]) -> Iterator[dg.DagsterInstance]:
    folder.mkdir()
    config = {"storage": storage, "telemetry": {"enabled": False}}
    (folder / "dagster.yaml").write_text(json.dumps(config))
    with dg.DagsterInstance.from_config(str(folder)) as made:
        yield made


def batching(folder: Path) -> dict[str, Any]:
    where = {"module": BatchingStorage.__module__, "class": BatchingStorage.__name__}
    return {"custom": {**where, "config": {"base_dir": str(folder / "storage")}}}


def plain(folder: Path) -> dict[str, Any]:
    return {"sqlite": {"base_dir": str(folder / "storage")}}


def run(made: dg.DagsterInstance) -> str:
    tags = {ASSET_PARTITION_RANGE_START_TAG: SCANS[0], ASSET_PARTITION_RANGE_END_TAG: SCANS[-1]}
    return dg.materialize([archived], instance=made, tags=tags).run_id


def shown(made: dg.DagsterInstance, run_id: str) -> dict[str, Any]:
    """What the pages of the run and of the assets are made of, order and times left out."""
    logged = [entry.get_dagster_event() for entry in made.all_logs(run_id)]
    store = made.event_log_storage
    planned = [store.get_event_records(dg.EventRecordsFilter(PLANNED, key)) for key in (PDF, BAG)]
    attempts = store.get_latest_asset_partition_materialization_attempts_without_materializations
    records = made.get_asset_records([PDF, BAG])
    return {
        "run": sorted((one.event_type_value, str(one.partition)) for one in logged),
        "planned": [sorted(str(one.partition_key) for one in some) for some in planned],
        "materialized": made.get_materialized_partitions(PDF),
        "last runs": [one.asset_entry.last_run_id == run_id for one in records],
        "not materialized": attempts(PDF).keys(),
    }


def test_a_range_run_leaves_the_events_that_dagsters_own_storage_has(tmp_path: Path) -> None:
    with instance(tmp_path / "a", batching(tmp_path / "a")) as made:
        assert isinstance(made.event_log_storage, BatchingEventLog)
        told = shown(made, run(made))
    with instance(tmp_path / "b", plain(tmp_path / "b")) as made:
        assert not isinstance(made.event_log_storage, BatchingEventLog)
        assert told == shown(made, run(made))
    assert told["planned"] == [sorted(SCANS)] * 2
    assert told["not materialized"] == set(SCANS) - {SCANS[0]}


def test_a_home_goes_back_to_dagsters_own_storage_and_keeps_its_events(tmp_path: Path) -> None:
    with instance(tmp_path / "a", batching(tmp_path / "a")) as made:
        run_id = run(made)
        told = shown(made, run_id)
    with instance(tmp_path / "b", plain(tmp_path / "a")) as made:
        assert shown(made, run_id) == told


def test_planning_a_run_commits_once_per_database_and_not_once_per_partition(
    tmp_path: Path,
) -> None:
    """What makes it fast; Dagster hands over batches by private means, which may change."""
    commits: list[sa.Connection] = []
    with instance(tmp_path / "a", batching(tmp_path / "a")) as made:
        note = commits.append
        sa.event.listen(sa.Engine, "commit", note)
        try:
            run(made)
        finally:
            sa.event.remove(sa.Engine, "commit", note)
    assert len(commits) < 2 * len(SCANS)


def test_batches_are_switched_on_unless_the_user_says_how_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    BatchingStorage.from_local(str(tmp_path))
    assert os.environ[BATCH_SIZE_VARIABLE] == str(EVENTS_PER_BATCH)
    monkeypatch.setenv(BATCH_SIZE_VARIABLE, "7")
    BatchingStorage.from_local(str(tmp_path))
    assert os.environ[BATCH_SIZE_VARIABLE] == "7"


def test_the_projects_and_the_demos_configuration_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    demo = DemoHome(tmp_path / "a: demo")
    with demo.held():
        pass
    for folder in (tmp_path, demo.dagster):
        with dg.DagsterInstance.from_config(str(folder)) as made:
            assert isinstance(made.event_log_storage, BatchingEventLog)
    assert (demo.dagster / "storage" / "history" / "runs" / "index.db").exists()
    assert (tmp_path / ".dagster" / "storage" / "history" / "runs" / "index.db").exists()
