"""`quota`: how much of a vendor's limit is used, over a virtual day and by two processes."""

import argparse
import json
import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from export_pipeline.ledger.rows import QueueClass
from export_pipeline.vendors.open import open_vendors
from export_pipeline.workflow.register import queue_registered
from export_pipeline_tests.benchmarks.day import spend
from export_pipeline_tests.benchmarks.home import Home, home
from export_pipeline_tests.benchmarks.subjects import SUBJECTS, Subject, register

PROCESSES = 2


def live(subject: Subject, minutes: float) -> dict[str, Any]:
    """Two runs of the sender at once, for real minutes from the first call on."""
    name, per_minute = subject.limit
    counted = name.replace(" ", "_")
    with home(subject.vendor, "documented") as place:
        register(place, subject, per_minute * (int(minutes) + 2))
        _queue_all(place, subject)
        runs = [place.start_job(f"{subject.vendor}_send") for _ in range(PROCESSES)]
        while counted not in place.stats()["allowed"]:
            time.sleep(0.1)
        time.sleep(minutes * 60)
        for run in runs:
            run.end(signal.SIGKILL)
        stats = place.stats()
        claims = place.count(f"SELECT max(granted) FROM quotas WHERE name = '{name}'")
    used, seconds = stats["allowed"][counted]["calls"], stats["allowed"][counted]["seconds"]
    return {
        "minutes": minutes,
        "processes": PROCESSES,
        "used": used,
        # From the first call to the last as the vendor saw them.
        "share": (used - 1) * 60 / per_minute / seconds,
        "claims_unused": claims - used,
        "refused_429": sum(stats["limited"].values()),
    }


def _queue_all(place: Home, subject: Subject) -> None:
    vendor = open_vendors(place.settings, place.ledger)[subject.vendor]
    with place.ledger.write() as tx:
        queue_registered(tx, vendor, QueueClass.NIGHTLY, 10_000)


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks quota", description=__doc__)
    parser.add_argument("--vendor", choices=SUBJECTS, default="copyleaks")
    parser.add_argument(
        "--hours", type=float, default=24.0, help="of virtual time, Copyleaks alone; 0: none"
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="of real time; 0: none")
    parser.add_argument("--seed", type=int, default=1, help="of the senders' deaths")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    given = parser.parse_args(arguments)
    is_copyleaks = given.vendor == "copyleaks"
    measured = {
        **({"day": spend(given.hours, given.seed)} if given.hours and is_copyleaks else {}),
        **({"live": live(SUBJECTS[given.vendor], given.minutes)} if given.minutes else {}),
    }
    if given.json:
        print(json.dumps({**measured, "load": os.getloadavg()}))
    else:
        _show(measured)


def _show(measured: dict[str, dict[str, Any]]) -> None:
    console = Console()
    for name, facts in measured.items():
        table = Table("", "", title=f"quota: {name}")
        for fact, value in facts.items():
            table.add_row(fact, f"{value:.2%}" if fact == "share" else f"{value:g}")
        console.print(table)
    console.print(f"load average {', '.join(f'{one:.1f}' for one in os.getloadavg())}")
