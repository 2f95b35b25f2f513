"""A real backfill: Dagster's own daemon code, code server, run launcher and GraphQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._utils.log import get_dagster_logger
from dagster_graphql.schema import create_schema

from export_pipeline.defs.runs import ASSET_JOB, has_unfinished
from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.defs.lab import EVERYTHING, RANGE, Lab, asset_key
from export_pipeline_tests.defs.lab import lab as make_lab

# Dagster's own daemon code calls what Dagster deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster")

ROOT = Path(__file__).parents[2]
LAUNCH = """mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""
AGAIN = """mutation($params: ReexecutionParams!) {
  reexecutePartitionBackfill(reexecutionParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}"""


class Backfills:
    """What the UI's buttons and the daemon do, one iteration at a time."""

    def __init__(self, lab: Lab, workspace: WorkspaceProcessContext) -> None:
        self._lab = lab
        self._workspace = workspace

    def start(self, mutation: str, params: dict[str, Any]) -> str:
        answer = create_schema().execute(
            mutation,
            context_value=self._workspace.create_request_context(),
            variable_values={"params": params},
        )
        assert answer.data is not None, answer.errors
        (result,) = answer.data.values()
        assert "backfillId" in result, result
        return str(result["backfillId"])

    def finish(self, backfill_id: str) -> PartitionBackfill:
        self._lab.world.until(lambda: self._iterate(backfill_id))
        return self._get(backfill_id)

    def _iterate(self, backfill_id: str) -> bool:
        self._lab.world.until(lambda: not has_unfinished(self._lab.instance, ASSET_JOB))
        list(execute_backfill_iteration(self._workspace, get_dagster_logger("backfills")))
        done = (BulkActionStatus.COMPLETED_SUCCESS, BulkActionStatus.COMPLETED_FAILED)
        return self._get(backfill_id).status in done

    def _get(self, backfill_id: str) -> PartitionBackfill:
        found = self._lab.instance.get_backfill(backfill_id)
        assert found is not None
        return found

    def runs(self, backfill_id: str) -> list[dg.DagsterRun]:
        tags = {"dagster/backfill": backfill_id}
        return list(self._lab.instance.get_runs(dg.RunsFilter(tags=tags)))


@contextmanager
def backfills(lab: Lab) -> Iterator[Backfills]:
    target = ModuleTarget(
        module_name="export_pipeline.definitions",
        attribute=None,
        working_directory=str(ROOT),
        location_name="export_pipeline.definitions",
    )
    with create_test_daemon_workspace_context(target, lab.instance) as workspace:
        yield Backfills(lab, workspace)


def test_a_backfill_runs_in_batches_and_is_executed_again_for_the_failed_alone(
    tmp_path: Path,
) -> None:
    with make_lab(tmp_path, EXPORT_BATCH_SIZE="3") as lab:
        broken = [ScanSpec(f"broken-{n}", results=1, traits=("never_delivers",)) for n in range(2)]
        whole = [ScanSpec(f"whole-{n}", results=1) for n in range(4)]
        keys = lab.register(broken[0], *whole[:2], broken[1], *whole[2:])
        failing = [spec.id for spec in broken]
        with backfills(lab) as ui:
            first = ui.start(LAUNCH, {"assetSelection": selection(), "partitionNames": keys})
            assert ui.finish(first).status == BulkActionStatus.COMPLETED_FAILED
            assert len(ui.runs(first)) == 2
            assert lab.failed("bag") == set(failing)
            assert lab.materialized("bag") == set(keys) - set(failing)
            lab.world.create([ScanSpec(name, results=1) for name in failing])
            again = {"parentRunId": first, "strategy": "FROM_FAILURE"}
            second = ui.start(AGAIN, again)
            assert ui.finish(second).status == BulkActionStatus.COMPLETED_SUCCESS
            assert targets(ui.runs(second)) == set(failing)
            assert lab.materialized("bag") == set(keys)


def selection() -> list[dict[str, list[str]]]:
    return [{"path": list(asset_key(name).path)} for name in EVERYTHING]


def targets(runs: list[dg.DagsterRun]) -> set[str]:
    """Partition keys at which runs of one key each were aimed."""
    aims = {tuple(run.tags[end] for end in RANGE) for run in runs}
    assert all(first == last for first, last in aims)
    return {first for first, _ in aims}
