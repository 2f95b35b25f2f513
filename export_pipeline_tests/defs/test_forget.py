"""Forgetting in Dagster: a scan's partition and events go, those of others stay."""

from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import deserialize_value

from export_pipeline.defs.forget import DagsterView
from export_pipeline.ledger import registry
from export_pipeline.ledger.schema import generations
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline_tests.defs.lab import EVERYTHING, Lab
from export_pipeline_tests.workflow.forgetting.traces import forgetting, naming

HOSTILE = 'a/../b%2f;:"<x>=2e'


def key(scan: str) -> ScanKey:
    return ScanKey("copyleaks", "default", scan)


def test_partition_and_events_of_a_forgotten_scan_go_and_those_of_others_stay(lab: Lab) -> None:
    partition, other = lab.register(ScanSpec(HOSTILE, results=1), ScanSpec("kept-one", results=1))
    assert lab.materialize([partition, other]).success
    assert {partition, other} <= lab.materialized("bag")
    view = DagsterView(lab.instance)
    done = lab.world.run(lab.world.pipeline(), forgetting(key(HOSTILE), view=view))
    assert not lab.instance.has_dynamic_partition("copyleaks_scans", partition)
    assert lab.instance.has_dynamic_partition("copyleaks_scans", other)
    for asset in EVERYTHING:
        assert partition not in lab.materialized(asset)
        assert partition not in lab.failed(asset)
        assert other in lab.materialized(asset)
        newest = lab.instance.get_latest_materialization_event(dg.AssetKey(["copyleaks", asset]))
        assert newest is not None
        assert newest.get_dagster_event().partition == other
    assert any("compute logs" in words for words in done.stays)


def test_what_dagster_keeps_of_a_forgotten_scan_is_what_it_says(lab: Lab) -> None:
    """A range's ends stand in its run's tags, which Dagster only deletes with the run."""
    name = "told-what-stays"
    (partition,) = lab.register(ScanSpec(name, results=1))
    run_id = lab.materialize([partition]).run_id
    folder = Path(lab.instance.storage_directory()).parent
    databases = ["history/runs.db", "history/runs/index.db", f"history/runs/{run_id}.db"]
    assert set(naming(folder, name.encode())) >= set(databases)
    view = DagsterView(lab.instance)
    done = lab.world.run(lab.world.pipeline(), forgetting(key(name), view=view))
    assert naming(folder, name.encode()) == ["history/runs.db"]
    assert f"in Dagster: the tags of the runs {run_id}" in done.stays
    lab.instance.delete_run(run_id)
    again = lab.world.run(lab.world.pipeline(), forgetting(key(name), view=view))
    assert not [words for words in again.stays if "the tags" in words]


def test_checks_of_another_vendor_s_scan_of_the_same_key_stay(lab: Lab) -> None:
    name = "in-two-vendors"
    partition = key(name).partition_key
    for vendor in ("copyleaks", "laserfiche"):
        lab.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey([vendor, "bag"]),
                check_name="sealed",
                passed=False,
                partition=partition,
                description=f"of {vendor}",
                metadata={},
            )
        )
    DagsterView(lab.instance).forget([key(name)])
    assert judged(lab, name) == ["of laserfiche"]


def judged(lab: Lab, name: str) -> list[str]:
    """What the evaluations of checks say that name the scan."""
    with lab.instance.event_log_storage.index_connection() as connection:
        rows = connection.execute(
            sa.select(SqlEventLogStorageTable.c.event).where(
                SqlEventLogStorageTable.c.dagster_event_type.like("ASSET_CHECK_EVALUATION%"),
                SqlEventLogStorageTable.c.event.contains(name),
            )
        )
        entries = [deserialize_value(row.event, EventLogEntry) for row in rows]
    return [
        str(entry.get_dagster_event().asset_check_evaluation_data.description) for entry in entries
    ]


def test_the_pdfa_of_a_forgotten_scan_leaves_dagster_with_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_PDFA", "1")
    monkeypatch.setenv("EXPORT_CLOUDCONVERT_KEY", "k")
    name = "with-pdfa"
    (partition,) = lab.register(ScanSpec(name, results=1))
    assert lab.materialize([partition]).success
    old = generations.update().where(generations.c.scan_id == lab.world.scan(name).id)
    lab.world.write(lambda tx: tx.run(old.values(sealed_at=tx.now - 120.0)))
    with dg.build_sensor_context(
        instance=lab.instance,
        definitions=lab.defs,
        resources={"cloudconvert": lab.defs.resources["cloudconvert"]},
    ) as context:
        told = lab.defs.resolve_sensor_def("cloudconvert_pdfa").evaluate_tick(context)
    assert "ordered" in (told.skip_message or "")
    made = ScanKey("cloudconvert", "default", f"{name}.pdfa")
    assert lab.world.look(registry.find, made) is not None
    lab.instance.add_dynamic_partitions("cloudconvert_scans", [made.partition_key])
    view = DagsterView(lab.instance)
    lab.world.run(lab.world.pipeline(), forgetting(key(name), view=view))
    assert not lab.instance.has_dynamic_partition("cloudconvert_scans", made.partition_key)
    assert lab.world.look(registry.find, made) is None


def test_a_run_or_backfill_under_way_keeps_everything(lab: Lab) -> None:
    (partition,) = lab.register(ScanSpec("in-a-run", results=1))
    assert lab.materialize([partition]).success
    run = lab.instance.create_run_for_job(
        lab.defs.resolve_implicit_global_asset_job_def(),
        status=dg.DagsterRunStatus.STARTED,
    )
    view = DagsterView(lab.instance)
    assert "under way" in view.busy()
    lab.instance.delete_run(run.run_id)
    assert view.busy() == ""


def test_the_daily_retention_forgets_what_is_due_and_spares_the_rest(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    due, fresh = lab.register(ScanSpec("due-scan", results=1), ScanSpec("fresh-scan", results=1))
    assert lab.materialize([due, fresh]).success
    old = generations.update().where(generations.c.scan_id == lab.world.scan("due-scan").id)
    lab.world.write(lambda tx: tx.run(old.values(sealed_at=tx.now - 31 * 86_400)))
    assert lab.job("retention").success
    assert lab.state("due-scan") == "archived"
    monkeypatch.setenv("EXPORT_RETENTION_DAYS", "30")
    assert lab.job("retention").success
    assert lab.world.look(registry.find, key("due-scan")) is None
    assert naming(lab.archive, b"due-scan") == []
    assert due not in lab.materialized("bag")
    assert lab.state("fresh-scan") == "archived"
    assert fresh in lab.materialized("bag")
