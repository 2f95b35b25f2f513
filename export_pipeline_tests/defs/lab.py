"""A world with Dagster on it: scans are registered, materialized and looked at as a user would."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import httpx
import pytest

from export_pipeline.definitions import defs
from export_pipeline.defs import jobs, resources
from export_pipeline.defs.copyleaks import COPYLEAKS
from export_pipeline.ledger import registry
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline_tests.workflow.world import World, world

EVERYTHING = COPYLEAKS.assets
ARTIFACTS = EVERYTHING[1:-1]
# No daemon runs here to take runs from a queue.
LAUNCHES_AT_ONCE = {
    "run_coordinator": {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"}
}
RANGE = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def asset_key(name: str) -> dg.AssetKey:
    return dg.AssetKey(name.split("/")) if "/" in name else COPYLEAKS.key(name)


@dataclass
class Lab:
    """What a test acts on. Each takes scans of its own: `register` gives them names."""

    world: World
    instance: dg.DagsterInstance
    defs: dg.Definitions = defs
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def archive(self) -> Path:
        return self.world.home / "archive"

    def names(self, count: int) -> list[str]:
        return [f"scan-{next(self.numbers):04}" for _ in range(count)]

    def register(self, *specs: ScanSpec, count: int = 0) -> list[str]:
        """Have scans completed at the vendor and registered by the sensor; their partition keys."""
        made = [*specs, *(ScanSpec(name, results=1) for name in self.names(count))]
        self.world.complete(self.world.create(made))
        self.tick("scan_completed")
        return [ScanKey("copyleaks", "default", spec.id).partition_key for spec in made]

    def tick(self, sensor: str) -> Any:
        found = self.defs.resolve_sensor_def(f"copyleaks_{sensor}")
        with dg.build_sensor_context(
            instance=self.instance,
            definitions=self.defs,
            resources={"copyleaks": self.defs.resources["copyleaks"]},
        ) as context:
            return found.evaluate_tick(context)

    def materialize(
        self, keys: Sequence[str], assets: Sequence[str] = EVERYTHING, **tags: str
    ) -> dg.ExecuteInProcessResult:
        """Materialize a range of scans, as the UI does."""
        return self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[asset_key(name) for name in assets],
            raise_on_error=False,
            tags={**dict(zip(RANGE, (keys[0], keys[-1]), strict=True)), **tags},
        )

    def materialize_unpartitioned(self, asset: str) -> dg.ExecuteInProcessResult:
        return self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance, asset_selection=[asset_key(asset)], raise_on_error=False
        )

    def job(self, verb: str, **config: Any) -> dg.ExecuteInProcessResult:
        """Run one of the op jobs."""
        ops = {"ops": {f"copyleaks_{verb}_op": {"config": config}}} if config else None
        return self.defs.resolve_job_def(f"copyleaks_{verb}").execute_in_process(
            run_config=ops, instance=self.instance, raise_on_error=False
        )

    def materialized(self, asset: str) -> set[str]:
        """Partitions that Dagster shows as materialized."""
        return set(self.instance.get_materialized_partitions(asset_key(asset)))

    def failed(self, asset: str) -> set[str]:
        """Partitions that Dagster shows as failed: planned, and never materialized since."""
        storage = self.instance.event_log_storage
        return set(
            storage.get_latest_asset_partition_materialization_attempts_without_materializations(
                asset_key(asset)
            )
        )

    def orders(self, keys: Sequence[str]) -> list[Any]:
        """Orders that the vendor accepted for these scans."""
        return [one for one in self.world.sandbox.stats()["orders"] if one["scan"] in keys]

    def state(self, scan: str) -> str:
        return self.world.scan(scan).state.value

    def expire_leases(self) -> None:
        """Let time pass for whoever died: every lease has run out."""
        with self.world.ledger.write() as tx:
            for table in ("orders", "reports"):
                tx.connection.exec_driver_sql(f"UPDATE {table} SET lease_until = 0")
            tx.connection.exec_driver_sql("UPDATE leases SET until = 0")

    def delete(self, scan: str) -> None:
        """Delete a scan at the vendor."""
        url = f"{self.world.sandbox.addresses['copyleaks_control']}/scans/{quote(scan, safe='')}"
        httpx.delete(url).raise_for_status()

    def forget_quota(self) -> None:
        """Let time pass for the quota: every claimed moment is over."""
        with self.world.ledger.write() as tx:
            tx.connection.exec_driver_sql("DELETE FROM quotas")

    def end_rests(self) -> None:
        """Let time pass for accounts and orders: no rest and no pause is left."""
        with self.world.ledger.write() as tx:
            tx.connection.exec_driver_sql("UPDATE accounts SET cooldown_until = 0")
            tx.connection.exec_driver_sql("UPDATE orders SET not_before = 0")

    def partitions(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions("copyleaks_scans"))

    def registered(self, count: int) -> list[str]:
        """Scans that are in the ledger only, as an import leaves them."""
        names = self.names(count)
        with self.world.ledger.write() as tx:
            for name in names:
                registry.register(tx, ScanKey("copyleaks", "default", name), source="import")
        return names

    def shown(self, result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dict[str, Any]]:
        """Metadata by partition of what a run materialized of one asset."""
        return {
            event.partition or "": {
                name: value.value for name, value in event.materialization.metadata.items()
            }
            for event in self.events(result)
            if event.is_step_materialization and event.asset_key == asset_key(asset)
        }

    def evaluations(self, result: dg.ExecuteInProcessResult) -> list[dg.AssetCheckEvaluation]:
        """Check evaluations of a run, summaries (without a partition) and failures alike."""
        return [
            event.asset_check_evaluation_data
            for event in self.events(result)
            if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ]

    def events(self, result: dg.ExecuteInProcessResult) -> list[dg.DagsterEvent]:
        """What Dagster keeps of a run; the result itself lacks what a failed op logged."""
        logs = self.instance.all_logs(result.run_id)
        return [log.dagster_event for log in logs if log.dagster_event]


def reason(result: dg.ExecuteInProcessResult) -> str:
    """What the run's one failed step says."""
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    return str(data.description if data else failure.step_failure_data.error)


@contextmanager
def lab(folder: Path, **environment: str) -> Iterator[Lab]:
    """A laboratory in `folder`; `environment` is set for it on top of the world's."""
    (folder / "home").mkdir(parents=True)
    (folder / "dagster").mkdir()
    with (
        world(folder / "home") as made,
        pytest.MonkeyPatch.context() as patch,
        dg.DagsterInstance.local_temp(
            str(folder / "dagster"), overrides=LAUNCHES_AT_ONCE
        ) as instance,
    ):
        settings = {"EXPORT_ORDER_ON_WEBHOOK": "false", "EXPORT_RUN_WAIT": "60"}
        for name, value in {**made.environment, **settings, **environment}.items():
            patch.setenv(name, value)
        patch.setattr(jobs, "LINGER_SECONDS", 1.0)
        made.environment.update(settings | environment)
        try:
            yield Lab(made, instance)
        finally:
            resources._ledger(made.settings.ledger_url).close()
            resources._ledger.cache_clear()
