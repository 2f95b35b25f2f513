"""A run killed with its process: the next one goes on, and nothing is ordered twice."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg

from export_pipeline.archive.layout import SEAL_NAME
from export_pipeline.definitions import defs
from export_pipeline.sandbox import ScanSpec
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
from export_pipeline_tests.defs.lab import EVERYTHING, RANGE, Lab, asset_key

ROOT = Path(__file__).parents[2]


def test_a_killed_run_is_failed_by_the_reconciler_and_the_next_ends_its_work(lab: Lab) -> None:
    """It dies once it has sealed one scan of six, of which some are slow at the vendor."""
    slow = [ScanSpec(name, results=1, traits=("slow",)) for name in lab.names(3)]
    keys = lab.register(*slow, count=3)
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, lab.instance.root_directory, keys[0], keys[-1]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    lab.world.until(lambda: "archived" in {lab.state(key) for key in keys})
    process.kill()
    process.wait()
    lab.expire_leases()
    lab.tick("reconciler")
    (run,) = lab.instance.get_runs()
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert lab.materialize(keys).success
    ordered = [(one["scan"], name) for one in lab.orders(keys) for name in one["artifacts"]]
    assert len(ordered) == len(set(ordered)), "an artifact was ordered twice"
    assert {lab.state(key) for key in keys} == {"archived"}
    assert all(set(keys) <= lab.materialized(asset) for asset in EVERYTHING)


def sealing_one() -> Any:
    """Patch the store: whoever seals another bag than the first waits for ever."""
    put, sealed = LocalStore.put, []

    async def put_first(store: LocalStore, key: str, *given: Any, **more: Any) -> StoredObject:
        if key.endswith(SEAL_NAME):
            sealed.append(key)
        if len(sealed) > 1:
            await asyncio.Event().wait()
        return await put(store, key, *given, **more)

    return patch.object(LocalStore, "put", put_first)


def main(folder: str, first: str, last: str) -> None:
    """Materialize a range of scans in a process that does not come to its end, to be killed."""
    with sealing_one(), dg.DagsterInstance.local_temp(folder) as instance:
        defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[asset_key(name) for name in EVERYTHING],
            tags=dict(zip(RANGE, (first, last), strict=True)),
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
