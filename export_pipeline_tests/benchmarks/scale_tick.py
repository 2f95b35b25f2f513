"""One tick of a sensor or schedule, or a run, in a Dagster with as many partitions."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import dagster as dg

from export_pipeline.definitions import defs
from export_pipeline.defs import retire
from export_pipeline.defs.copyleaks import COPYLEAKS
from export_pipeline.ledger.database import Ledger
from export_pipeline.settings import Settings
from export_pipeline_tests.benchmarks.scale_part import (
    Cost,
    environment_of,
    measure,
    measure_once,
    tell,
)

RETIRED = 1_000
_RESOURCES = {name: (defs.resources or {})[name] for name in ("copyleaks", "ledger", "settings")}


def dagster_of(home: Path) -> dg.DagsterInstance:
    """The instance that belongs to a benchmark's home."""
    folder = home / "dagster"
    folder.mkdir(exist_ok=True)
    return dg.DagsterInstance.local_temp(str(folder))


def _sensor(name: str, instance: dg.DagsterInstance) -> Cost:
    sensor = defs.resolve_sensor_def(f"copyleaks_{name}")
    with dg.build_sensor_context(
        instance=instance, definitions=defs, resources=_RESOURCES
    ) as context:
        return measure(lambda: sensor.evaluate_tick(context))


def _schedule(instance: dg.DagsterInstance) -> Cost:
    schedule = defs.resolve_schedule_def("copyleaks_retire")
    with dg.build_schedule_context(instance=instance, resources=_RESOURCES) as context:
        return measure(lambda: schedule.evaluate_tick(context))


def _catalog(instance: dg.DagsterInstance) -> Cost:
    """In a run's process, of which the peak is told: all of Dagster is in it too."""
    job = defs.resolve_implicit_global_asset_job_def()
    wanted = [dg.AssetKey(["archive", "catalog"])]
    logging.disable()  # an event a line
    return measure_once(lambda: job.execute_in_process(instance=instance, asset_selection=wanted))


def _retire(instance: dg.DagsterInstance) -> Cost:
    """What 1,000 cost: at the smallest size fewer are due."""
    settings = Settings.from_env(os.environ)
    retire.SCANS_PER_RUN = RETIRED
    ledger = Ledger(settings.ledger_url)
    retired: list[int] = []
    cost = measure_once(
        lambda: retired.append(retire.retire(instance, COPYLEAKS, ledger, settings))
    )
    ledger.close()
    return Cost(*(one * RETIRED / retired[0] for one in cost))


TICKS: Mapping[str, Callable[[dg.DagsterInstance], Cost]] = {
    "tick: scan_completed": partial(_sensor, "scan_completed"),
    "tick: queue": partial(_sensor, "queue"),
    "tick: export_completed": partial(_sensor, "export_completed"),
    "tick: reconciler": partial(_sensor, "reconciler"),
    "tick: retire": _schedule,
    "run: archive/catalog": _catalog,
    "retiring 1,000": _retire,
}
"""In this order: the last one changes what it finds."""


def _main(home: Path, name: str) -> None:
    os.environ.update(environment_of(home))
    with dagster_of(home) as instance:
        tell(TICKS[name](instance))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
