"""`quota`: how much of 10 exports a minute is used, over a virtual day and by two processes."""

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
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.workflow.register import queue_registered
from export_pipeline_tests.benchmarks.archive import register
from export_pipeline_tests.benchmarks.day import EXPORTS_PER_MINUTE, spend
from export_pipeline_tests.benchmarks.home import Home, home

PROCESSES = 2
INTERVAL_SECONDS = 60 / EXPORTS_PER_MINUTE


def live(minutes: float) -> dict[str, Any]:
    """Two runs of the sender at once, for real minutes from the first call on."""
    with home("documented") as place:
        register(place, 2 * EXPORTS_PER_MINUTE * (int(minutes) + 1))
        _queue_all(place)
        runs = [place.start_job("copyleaks_send") for _ in range(PROCESSES)]
        while not place.stats()["exports_accepted"]:
            time.sleep(0.1)
        time.sleep(minutes * 60)
        stats = place.stats()
        for run in runs:
            run.end(signal.SIGKILL)
        spread = place.count("SELECT max(sent_at) - min(sent_at) FROM orders")
        claims = place.count("SELECT max(granted) FROM quotas WHERE name LIKE 'exports%'")
    used = stats["exports_accepted"] + stats["exports_refused"]
    return {
        "minutes": minutes,
        "processes": PROCESSES,
        "used": used,
        # From the first call to the last, as a window may begin at any moment.
        "share": (used - 1) * INTERVAL_SECONDS / spread,
        "claims_unused": claims - used,
        "refused_429": sum(stats["limited"].values()),
    }


def _queue_all(place: Home) -> None:
    vendor = Copyleaks(place.settings, place.ledger)
    with place.ledger.write() as tx:
        queue_registered(tx, vendor, QueueClass.NIGHTLY, 10_000)


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks quota", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="of virtual time; 0: none")
    parser.add_argument("--minutes", type=float, default=3.0, help="of real time; 0: none")
    parser.add_argument("--seed", type=int, default=1, help="of the senders' deaths")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    given = parser.parse_args(arguments)
    measured = {
        **({"day": spend(given.hours, given.seed)} if given.hours else {}),
        **({"live": live(given.minutes)} if given.minutes else {}),
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
