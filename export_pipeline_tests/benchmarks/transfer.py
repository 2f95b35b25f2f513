"""`transfer`: files pulled from links into S3, beside rclone doing the same in the same run."""

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from export_pipeline_tests.benchmarks.moving import OURS, PEER, SMALL_BYTES, Bench, Load, Run, bench

LOADS = (
    Load("small", files=2_000, size=SMALL_BYTES, at_once=128, target=1.2),
    Load("large", files=10, size=100_000_000, at_once=4, target=0.8),
)
HUGE = Load("huge", files=1, size=10_000_000_000, at_once=1, target=0.0)
HUGE_MEMORY_MB = 150
ROUNDS = 5


def compare(place: Bench, load: Load, rounds: int) -> dict[str, Any]:
    """Move a load by turns, each side first every other time; medians."""
    runs: dict[str, list[Run]] = {OURS: [], PEER: []}
    for number in range(rounds):
        for side in (OURS, PEER) if number % 2 else (PEER, OURS):
            runs[side].append(place.run(side, load))
    sides = {side: _figures(load, some) for side, some in runs.items()}
    ratio = sides[PEER]["seconds"] / sides[OURS]["seconds"]
    return {"files": load.files, "size": load.size, "target": load.target, "ratio": ratio, **sides}


def _figures(load: Load, runs: Sequence[Run]) -> dict[str, float]:
    seconds = median(one.seconds for one in runs)
    return {
        "seconds": seconds,
        "best_seconds": min(one.seconds for one in runs),
        "mb_per_second": load.gigabytes * 1000 / seconds,
        "cpu_seconds_per_gb": median(one.client_cpu for one in runs) / load.gigabytes,
        "store_cpu_seconds_per_gb": median(one.store_cpu for one in runs) / load.gigabytes,
    }


def huge(place: Bench, load: Load, _rounds: int) -> dict[str, Any]:
    """Move one file that is larger than memory should ever be."""
    moved = place.run(OURS, load)
    memory = {"memory_mb": moved.memory_mb, "target_mb": HUGE_MEMORY_MB}
    return {"files": load.files, "size": load.size, **memory, OURS: _figures(load, [moved])}


PARTS: Mapping[str, tuple[Callable[[Bench, Load, int], dict[str, Any]], Load]] = {
    **{load.name: (compare, load) for load in LOADS},
    HUGE.name: (huge, HUGE),
}


def measure(parts: Sequence[str], rounds: int, share: float) -> dict[str, Any]:
    """Measure the parts; with a `share` below 1, of so many fewer or smaller files."""
    with bench() as place:
        measured = {
            name: work(place, load.shrunk(share), rounds)
            for name, (work, load) in PARTS.items()
            if name in parts
        }
    return {"rounds": rounds, "parts": measured, "load": os.getloadavg()}


def show(result: Mapping[str, Any], console: Console) -> None:
    """Print the figures as a table."""
    heads = ("files", "client", "s", "best s", "MB/s", "CPU s/GB", "store's", "ratio", "asked")
    table = Table(title=f"from links into SeaweedFS, medians of {result['rounds']} runs by turns")
    for head in heads:
        table.add_column(head, justify="left" if head in heads[:2] else "right")
    for part in result["parts"].values():
        for side in (OURS, PEER):
            if side in part:
                numbers = [f"{value:,.2f}" for value in part[side].values()]
                table.add_row(_files(part), side, *numbers, *_ratio(part, side))
    console.print(table)
    if memory := result["parts"].get(HUGE.name):
        console.print(
            f"{_files(memory)}: {memory['memory_mb']:.0f} MB of memory above the process's start"
            f" (asked: under {memory['target_mb']})"
        )
    console.print(
        "ours: sha256 of each file, and of each part for the store to check; rclone: none"
    )
    load = ", ".join(f"{one:.1f}" for one in result["load"])
    console.print(f"load average {load}; {os.cpu_count()} cores")


def _ratio(part: Mapping[str, Any], side: str) -> tuple[str, str]:
    return (f"{part['ratio']:.2f}", f"{part['target']}") if side == PEER else ("", "")


def _files(part: Mapping[str, Any]) -> str:
    return f"{part['files']:,} of {part['size'] / 1e6:,g} MB"


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks transfer", description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--share", type=float, default=1.0, help="of the files' number and bytes")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    given = parser.parse_args(arguments)
    result = measure(given.parts.split(","), given.rounds, given.share)
    if given.json:
        print(json.dumps(result))
    else:
        show(result, Console())
