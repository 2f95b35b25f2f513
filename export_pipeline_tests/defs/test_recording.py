"""Materializations recorded at once are for Dagster what those logged one by one are."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from export_pipeline.defs.recording import record

PDF, BAG = dg.AssetKey(["copyleaks", "pdf_report"]), dg.AssetKey(["copyleaks", "bag"])
SCANS = [f"scan-{number}" for number in range(5)]


def materializations() -> list[dg.AssetMaterialization]:
    return [
        dg.AssetMaterialization(asset, partition=scan, metadata={"size": 3, "checks": {"a": "b"}})
        for scan in SCANS
        for asset in (PDF, BAG)
    ]


def run(instance: dg.DagsterInstance, work: Callable[[dg.OpExecutionContext], None]) -> str:
    @dg.op(name="one_op")
    def op(context: dg.OpExecutionContext) -> None:
        work(context)

    @dg.job(name="one_job", executor_def=dg.in_process_executor)
    def job() -> None:
        op()

    return job.execute_in_process(instance=instance).run_id


def log_each(context: dg.OpExecutionContext) -> None:
    for one in materializations():
        context.log_event(one)


def record_all(context: dg.OpExecutionContext) -> None:
    record(context, materializations())


def in_run(instance: dg.DagsterInstance, run_id: str) -> Sequence[dict[str, Any]]:
    """What the page of the run shows, without what differs from run to run."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    told = [entry._asdict() for entry in entries]
    for one in told:
        event = one.pop("dagster_event")
        one["event"] = event._replace(message=None, pid=None, logging_tags=_tags(event))
        for name in ("run_id", "timestamp", "user_message"):
            del one[name]
    return told


def _tags(event: dg.DagsterEvent) -> dict[str, str]:
    return {name: tag for name, tag in event.logging_tags.items() if name != "run_id"}


@pytest.fixture
def instance(tmp_path: Path) -> Any:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        yield made


def test_the_page_of_the_run_shows_what_it_shows_of_logged_events(
    instance: dg.DagsterInstance,
) -> None:
    logged, recorded = run(instance, log_each), run(instance, record_all)
    assert in_run(instance, recorded) == in_run(instance, logged)
    assert len(in_run(instance, recorded)) == 2 * len(SCANS)


def test_every_partition_of_every_asset_is_materialized_with_its_metadata(
    instance: dg.DagsterInstance,
) -> None:
    run_id = run(instance, record_all)
    for asset in (PDF, BAG):
        assert instance.get_materialized_partitions(asset) == set(SCANS)
        latest = instance.get_latest_materialization_event(asset)
        assert latest is not None
        assert latest.run_id == run_id
        assert latest.asset_materialization is not None
        assert latest.asset_materialization.partition == SCANS[-1]
        assert latest.asset_materialization.metadata["size"].value == 3


def test_nothing_to_record_writes_nothing(instance: dg.DagsterInstance) -> None:
    run_id = run(instance, lambda context: record(context, []))
    assert in_run(instance, run_id) == []
