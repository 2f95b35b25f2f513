"""`archive`: what archiving costs through Dagster, beside a plain script and a run per scan."""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import dagster as dg
from rich.console import Console
from rich.table import Table

from export_pipeline.ledger import generations, registry
from export_pipeline.sandbox.copyleaks.scans import Scan
from export_pipeline_tests.benchmarks.backfill import launch
from export_pipeline_tests.benchmarks.home import Home, home, until
from export_pipeline_tests.benchmarks.naive import PARTITIONS, SCANS, SINK, VENDOR
from export_pipeline_tests.benchmarks.processes import Process
from export_pipeline_tests.benchmarks.samples import scans
from export_pipeline_tests.benchmarks.subjects import SUBJECTS, Subject, register

NAIVE_SCANS = 20
NAIVE_AT_ONCE = 2
_OPEN = "SELECT count(*) FROM scans WHERE state NOT IN ('archived', 'partial', 'failed', 'expired')"
_UNSHOWN = "SELECT count(*) FROM reports WHERE reported_at IS NULL"


@dataclass(frozen=True)
class Measured:
    """What one way of archiving cost.

    Args:
        seconds: from the trigger to the last scan shown.
        first_seconds: from the trigger to the first scan archived.
        cpu_seconds: of all our processes, Dagster's included, the vendor's not.
        peak_mb: largest resident size of a run.
    """

    part: str
    scans: int
    seconds: float
    first_seconds: float
    cpu_seconds: float
    peak_mb: float
    shares: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds by process, where they are told apart."""

    @property
    def per_minute(self) -> float:
        """Scans a minute."""
        return 60 * self.scans / self.seconds

    @property
    def cpu_per_scan(self) -> float:
        """CPU seconds a scan."""
        return self.cpu_seconds / self.scans


def jobs(subject: Subject, count: int) -> Measured:
    """The op jobs, each a run in a process of its own as the daemon starts them."""
    with home(subject.vendor) as place:
        register(place, subject, count)
        began, receiver_cpu = time.time(), place.receiver.cpu_seconds()
        runs = [place.start_job(f"{subject.vendor}_{verb}") for verb in subject.verbs]
        wait_until_shown(place, runs)
        seconds = time.time() - began
        used = [run.finish() for run in runs]
        shares = {verb: one.cpu_seconds for verb, one in zip(subject.verbs, used, strict=True)}
        shares["receiver"] = place.receiver.cpu_seconds() - receiver_cpu
        require_archived(place, subject, count)
        peak = max(one.peak_mb for one in used)
        first, cpu = first_sealed(place) - began, sum(shares.values())
        return Measured("jobs", count, seconds, first, cpu, peak, shares)


def backfill(subject: Subject, count: int) -> Measured:
    """A backfill of the partitioned assets under a real `dagster dev`, sensors on."""
    with home(subject.vendor) as place:
        keys = register(place, subject, count)
        with launch(place, subject.vendor, subject.assets, keys) as launched:
            wait_until_shown(place, [launched.dagster], launched.look)
            seconds = time.time() - launched.began
            cpu = launched.cpu_seconds()
        require_archived(place, subject, count)
        first = first_sealed(place) - launched.began
        return Measured("backfill", count, seconds, first, cpu, launched.peak_mb)


def floor(_: Subject, count: int) -> Measured:
    """The plain script, which knows Copyleaks alone."""
    with home() as place:
        arguments = _plain(place, count)
        script = place.start("export_pipeline_tests.benchmarks.floor", *arguments)
        told = json.loads(script.first_line())
        used = script.finish()
        return Measured(
            "floor", count, told["seconds"], told["first"], used.cpu_seconds, used.peak_mb
        )


def naive(_: Subject, count: int) -> Measured:
    """One Dagster run per scan, two at a time; without what a daemon adds to each."""
    count = min(count, NAIVE_SCANS)
    with home() as place:
        vendor, folder, listed = _plain(place, count)
        ids = [f"scan-{number:06}" for number in range(count)]
        with place.instance() as instance:
            instance.add_dynamic_partitions(PARTITIONS, ids)
        with place.start("export_pipeline_tests.benchmarks.sink", folder) as sink:
            place.environment.update({VENDOR: vendor, SCANS: listed, SINK: sink.first_line()})
            return _naive(place, ids, sink)


def _naive(place: Home, ids: Sequence[str], sink: Process) -> Measured:
    began, sink_cpu = time.time(), sink.cpu_seconds()
    ends: list[float] = []
    cpu, peak = 0.0, 0.0
    target = ["-m", "export_pipeline_tests.benchmarks.naive", "--select", "export", "--partition"]
    for start in range(0, len(ids), NAIVE_AT_ONCE):
        some = ids[start : start + NAIVE_AT_ONCE]
        runs = [place.start("dagster", "asset", "materialize", *target, one) for one in some]
        used = [run.finish() for run in runs]
        ends.append(time.time())
        cpu += sum(one.cpu_seconds for one in used)
        peak = max(peak, *(one.peak_mb for one in used))
    cpu += sink.cpu_seconds() - sink_cpu
    return Measured("naive", len(ids), ends[-1] - began, ends[0] - began, cpu, peak)


def _plain(place: Home, count: int) -> list[str]:
    """What the plain script is given: the vendor, a folder, a file of scans with their results."""
    specs = scans(count, "http://127.0.0.1:9/{STATUS}", ())
    place.control("scans", [spec.to_json() for spec in specs])
    listed = place.path / "scans.jsonl"
    rows = [[spec.id, Scan(spec, 0.0).result_ids[0]] for spec in specs]
    listed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [json.dumps(place.sandbox), str(place.path), str(listed)]


def wait_until_shown(
    place: Home, processes: Sequence[Process], look: Callable[[], None] = lambda: None
) -> None:
    """Wait until every scan is settled and Dagster shows it, or a process of ours ended."""

    def is_done() -> bool:
        look()
        is_open = place.count(_OPEN) + place.count(_UNSHOWN) > 0
        return not is_open or not any(process.is_alive for process in processes)

    until(is_done)


def first_sealed(place: Home) -> float:
    """When the first scan was archived, by the database's clock, which is the machine's."""
    return place.count("SELECT min(sealed_at) FROM generations")


def require_archived(place: Home, subject: Subject, count: int) -> None:
    """Refuse figures of a run that did not archive everything or does not show it.

    Raises:
        RuntimeError: with what was found.
    """
    with place.ledger.read() as tx:
        states = registry.count_by_state(tx)
        files = generations.totals(tx)[0]
    with place.instance() as instance:
        shown = {
            name: len(instance.get_materialized_partitions(dg.AssetKey([subject.vendor, name])))
            for name in subject.assets
        }
    expected = {"archived": count}, count * subject.artifacts, dict.fromkeys(subject.assets, count)
    if (states, files, shown) != expected:
        raise RuntimeError(f"not all was archived: {states}, {files} files, shown {shown}")


PARTS: dict[str, Callable[[Subject, int], Measured]] = {
    "jobs": jobs,
    "backfill": backfill,
    "floor": floor,
    "naive": naive,
}


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks archive", description=__doc__)
    parser.add_argument("--scans", type=int, default=1_000)
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated")
    parser.add_argument("--vendor", choices=SUBJECTS, default="copyleaks")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    given = parser.parse_args(arguments)
    subject = SUBJECTS[given.vendor]
    measured = [PARTS[part](subject, given.scans) for part in given.parts.split(",")]
    load = os.getloadavg()
    if given.json:
        parts = [_as_json(one) for one in measured]
        print(json.dumps({"vendor": subject.vendor, "parts": parts, "load": load}))
    else:
        _show(subject, measured, load)


def _as_json(one: Measured) -> dict[str, float | str]:
    return {**asdict(one), "per_minute": one.per_minute, "cpu_per_scan": one.cpu_per_scan}


def _show(subject: Subject, measured: Sequence[Measured], load: Sequence[float]) -> None:
    columns = ("part", "scans", "scans/min", "CPU s/scan", "x floor", "first s", "peak MB of a run")
    title = f"archive: {subject.vendor}, {subject.artifacts} artifacts a scan"
    table = Table(*columns, title=title)
    least = next((one.cpu_per_scan for one in measured if one.part == "floor"), None)
    for one in measured:
        table.add_row(
            one.part,
            f"{one.scans}",
            f"{one.per_minute:,.0f}",
            f"{one.cpu_per_scan:.4f}",
            f"{one.cpu_per_scan / least:.1f}" if least else "",
            f"{one.first_seconds:.1f}",
            f"{one.peak_mb:,.0f}",
        )
    console = Console()
    console.print(table)
    for one in measured:
        for name, seconds in one.shares.items():
            console.print(f"{one.part}: {name} {seconds / one.scans:.4f} CPU s/scan")
    console.print(f"asked of jobs: at most {subject.cpu_seconds:.2f} CPU s/scan")
    console.print(f"load average {', '.join(f'{one:.1f}' for one in load)}; {os.cpu_count()} cores")
