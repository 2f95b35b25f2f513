"""What Dagster loads: everywhere, and under the names that people have bookmarked.

After a wanted change of names: `python -m export_pipeline_tests.defs.test_definitions` writes
`definitions.json` anew; the review sees what was renamed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy
from dagster._core.execution.build_resources import wrap_resources_for_execution

from export_pipeline.definitions import defs

ROOT = Path(__file__).parents[2]
VENDORS = ("cloudconvert", "copyleaks", "hookbridge", "laserfiche")
SNAPSHOT = Path(__file__).with_name("definitions.json")


def described() -> dict[str, Any]:
    graph = defs.resolve_asset_graph()
    repository = defs.get_repository_def()
    return {
        "assets": {
            spec.key.to_user_string(): {
                "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
                "group": spec.group_name,
                "kinds": sorted(spec.kinds),
                "owners": list(spec.owners),
                "partitions": getattr(spec.partitions_def, "name", None),
                "freshness": _windows(spec.freshness_policy),
                "checks": sorted(
                    check.name for check in graph.asset_check_keys if check.asset_key == spec.key
                ),
            }
            for spec in sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key)
        },
        "jobs": sorted(job.name for job in defs.jobs or ()),
        "sensors": {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs},
        "schedules": {
            schedule.name: [schedule.cron_schedule, schedule.default_status.value]
            for schedule in repository.schedule_defs
        },
        "resources": sorted(defs.resources or ()),
    }


def _windows(policy: dg.FreshnessPolicy | None) -> list[float] | None:
    """Hours until the warning and until the failure."""
    if not isinstance(policy, TimeWindowFreshnessPolicy) or policy.warn_window is None:
        return None
    windows = (policy.warn_window, policy.fail_window)
    return [window.to_timedelta().total_seconds() / 3_600 for window in windows]


def test_every_asset_links_to_its_code() -> None:
    for spec in defs.resolve_all_asset_specs():
        (reference,) = spec.metadata["dagster/code_references"].code_references
        text = Path(reference.file_path).read_text().splitlines()
        assert "asset" in text[reference.line_number - 1], spec.key


def test_whatever_can_be_configured_and_run_by_hand_is_described_in_the_ui() -> None:
    jobs = [job for job in defs.resolve_all_job_defs() if job.name in described()["jobs"]]
    assert [job.name for job in jobs if not job.description] == []
    ops = {node.name: node.config_schema for job in jobs for node in job.all_node_defs}
    resources = wrap_resources_for_execution(defs.resources or {})
    schemas = {**ops, **{name: one.config_schema for name, one in resources.items()}}
    assert [name for name, schema in schemas.items() for name in _undescribed(name, schema)] == []


def _undescribed(owner: str, schema: Any) -> list[str]:
    fields = getattr(schema.config_type, "fields", {})
    return [f"{owner}.{name}" for name, field in fields.items() if not field.description]


def test_definitions_load_with_nothing_set_and_no_network(tmp_path: Path) -> None:
    """A process with an empty environment that cannot make a socket to anything but loopback."""
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "real = socket.socket.connect\n"
        "def connect(self, address):\n"
        "    if self.family != socket.AF_UNIX and address[0] not in ('127.0.0.1', '::1',"
        " 'localhost'):\n"
        "        raise SystemExit(f'the network was used: {address}')\n"
        "    return real(self, address)\n"
        "socket.socket.connect = connect\n"
    )
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "definitions", "validate", "-w",
         ROOT / "workspace.yaml"],
        env={"PATH": os.defpath, "HOME": str(tmp_path), "DAGSTER_HOME": str(tmp_path),
             "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "All code locations passed validation" in done.stderr + done.stdout


def test_definitions_load_and_resolve_without_a_warning(tmp_path: Path) -> None:
    """Users would see it at each load of the code location."""
    code = "import export_pipeline.definitions as d; d.defs.resolve_asset_graph()"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_every_name_is_the_one_that_was_reviewed() -> None:
    assert described() == json.loads(SNAPSHOT.read_text())


def test_the_scans_assets_are_one_step_and_a_backfill_runs_in_batches() -> None:
    lanes = [one for one in defs.assets or () if "order" in str(getattr(one, "keys", ""))]
    assert len(lanes) == len(VENDORS)
    for assets in lanes:
        assert isinstance(assets, dg.AssetsDefinition)
        assert assets.can_subset
        assert assets.backfill_policy == dg.BackfillPolicy.multi_run(500)


def test_batches_are_never_retried_as_a_whole() -> None:
    jobs = [job for job in defs.jobs or () if job.name.startswith(VENDORS)]
    assert {job.tags["dagster/max_retries"] for job in jobs} == {"0"}


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(described(), indent=1, sort_keys=True) + "\n")
