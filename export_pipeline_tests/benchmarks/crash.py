"""Workers and receivers killed at random moments for minutes: nothing may be lost or doubled."""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from export_pipeline.receiver.addresses import Addresses
from export_pipeline_tests.workflow.crashing import NO_DEADLINE, Receivers, Workers, receivers
from export_pipeline_tests.workflow.proofs import hard, prove
from export_pipeline_tests.workflow.world import World, world

MINUTES = 2.0
LONGEST_LIFE_SECONDS = 1.5
RECEIVER_DIES = 0.3
SCANS_PER_ROUND = 2


def measure(minutes: float = MINUTES, seed: int = 0) -> dict[str, Any]:
    """Kill for so many minutes, then let everything finish and prove every scan."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder) / "home") as place:
        place.environment |= NO_DEADLINE
        with receivers(place.environment) as receiver:
            place.addresses = Addresses(receiver.url, place.settings.secrets)
            found = _kill(place, receiver, minutes, random.Random(seed))
        return {"seed": seed, **found}


def _kill(
    place: World, receiver: Receivers, minutes: float, chance: random.Random
) -> dict[str, Any]:
    workers, names, receivers_killed, rounds = Workers(place.environment), [], 0, 0
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        added = place.create([hard(f"scan-{rounds}-{one}") for one in range(SCANS_PER_ROUND)])
        place.control("scans/complete", {"ids": added})
        names += added
        worker = workers.start(workers.next(names))
        worker.join(chance.uniform(0.0, LONGEST_LIFE_SECONDS))
        if chance.random() < RECEIVER_DIES:
            receiver.kill()
            receiver.start()
            receivers_killed += 1
        worker.kill()
        worker.join()
        rounds += 1
    workers.run(names)
    for name in names:
        prove(place, name)
    return {"scans": len(names), "workers_killed": rounds, "receivers_killed": receivers_killed}


def show(result: dict[str, Any], console: Console) -> None:
    """Print the counts; that they are printed at all means that every scan was proven."""
    table = Table("what", "count", title="Killed at random, every scan sealed and proven")
    for name, count in result.items():
        table.add_row(name.replace("_", " "), str(count))
    console.print(table)


def main(arguments: Sequence[str]) -> None:
    """Kill, prove and print."""
    parser = argparse.ArgumentParser(prog="benchmarks crash", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    given = parser.parse_args(arguments)
    result = measure(given.minutes, given.seed)
    if given.json:
        print(json.dumps(result))
    else:
        show(result, Console())
