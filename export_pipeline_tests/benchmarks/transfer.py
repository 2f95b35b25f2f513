"""`transfer`: files pulled from links into S3, beside rclone doing the same in the same run."""

import argparse
import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from export_pipeline.demo.seaweedfs import require_weed
from export_pipeline.storage.open import open_store
from export_pipeline_tests.benchmarks import file_host, pulling
from export_pipeline_tests.benchmarks.processes import Process
from export_pipeline_tests.benchmarks.rclone import Cost, Rclone
from export_pipeline_tests.servers.seaweedfs import SeaweedFS, running_seaweedfs

OURS, PEER = "ours", "rclone"
SMALL_BYTES = 50_000


@dataclass(frozen=True)
class Load:
    """Files to move.

    Args:
        size: of each in bytes.
        at_once: how many of them, for both.
        target: our speed over rclone's.
    """

    name: str
    files: int
    size: int
    at_once: int
    target: float

    @property
    def gigabytes(self) -> float:
        """All of it."""
        return self.files * self.size / 1e9

    def shrunk(self, share: float) -> "Load":
        """Fewer files where they are small, else smaller ones."""
        if self.size == SMALL_BYTES:
            return replace(self, files=round(self.files * share))
        return replace(self, size=round(self.size * share))


LOADS = (
    Load("small", files=2_000, size=SMALL_BYTES, at_once=64, target=1.2),
    Load("large", files=10, size=100_000_000, at_once=4, target=0.8),
)
HUGE = Load("huge", files=1, size=10_000_000_000, at_once=1, target=0.0)
HUGE_MEMORY_MB = 150
ROUNDS = 5


@dataclass(frozen=True)
class Run:
    """One move of a load; CPU seconds of the client and of the store."""

    seconds: float
    client_cpu: float
    store_cpu: float
    memory_mb: float = 0.0


class Bench:
    """A host of files, a SeaweedFS, and a new folder of its bucket for every run."""

    def __init__(self, folder: Path, host: str, server: SeaweedFS) -> None:
        self._folder = folder
        self._host = host
        self._server = server
        self._weed = psutil.Process(server.pid)
        self._bucket = server.new_bucket()
        self._runs = 0
        self._rclone = Rclone(server.variables())

    def run(self, side: str, load: Load) -> Run:
        """Move a load, and refuse the figures of a run that did not move everything."""
        self._runs += 1
        store = f"s3://{self._bucket}/run-{self._runs}"
        links = {
            f"{number:05}": file_host.url_of(self._host, load.size, f"{number}")
            for number in range(load.files)
        }
        before = self._store_cpu()
        done = (self._ours if side == OURS else self._theirs)(store, links, load)
        done = replace(done, store_cpu=self._store_cpu() - before)
        asyncio.run(self._require_all(store, load))
        return done

    def _ours(self, store: str, links: Mapping[str, str], load: Load) -> Run:
        job, log = self._folder / "job.json", self._folder / "log.txt"
        told: pulling.Job = {
            "store": store,
            "variables": self._server.variables(),
            "links": links,
            "at_once": load.at_once,
        }
        job.write_text(json.dumps(told))
        with Process([pulling.__name__, str(job)], {}, self._folder, log) as process:
            process.finish()
            pulled: pulling.Pulled = json.loads(process.first_line())
        if pulled["sha256"] != dict.fromkeys(links, file_host.sha256_of(load.size)):
            raise RuntimeError("other bytes came than the host has")
        return Run(pulled["seconds"], pulled["cpu_seconds"], 0.0, pulled["memory_mb"])

    def _theirs(self, store: str, links: Mapping[str, str], load: Load) -> Run:
        used = self._rclone.copy(store, links, self._folder / "links.csv", load.at_once)
        start: Cost = self._rclone.start
        return Run(used.seconds - start.seconds, used.cpu_seconds - start.cpu_seconds, 0.0)

    async def _require_all(self, url: str, load: Load) -> None:
        store = open_store(url, self._server.variables())
        found = [one async for one in store.list()]
        if [one.size for one in found] != [load.size] * load.files:
            raise RuntimeError(f"{len(found)} of {load.files} files are there as they should be")
        if load.size > SMALL_BYTES:
            for one in found:
                await store.delete(one.key)

    def _store_cpu(self) -> float:
        used = self._weed.cpu_times()
        return float(used.user + used.system)


@contextmanager
def bench() -> Iterator[Bench]:
    """Start everything."""
    with (
        TemporaryDirectory(prefix="export-benchmark-") as name,
        running_seaweedfs(require_weed()) as server,
    ):
        folder = Path(name)
        with Process([file_host.__name__], {}, folder, folder / "host.txt") as host:
            yield Bench(folder, host.first_line(), server)


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
