"""`scale`: how cost grows with the number of scans, from 1,000 to 100,000."""

import argparse
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from export_pipeline.defs.copyleaks import COPYLEAKS
from export_pipeline.ledger import schema
from export_pipeline.ledger.database import sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline_tests.benchmarks.bagged import fill_store
from export_pipeline_tests.benchmarks.filled import fill
from export_pipeline_tests.benchmarks.processes import PYTHON
from export_pipeline_tests.benchmarks.scale_part import ARCHIVE, PARTS, REBUILD
from export_pipeline_tests.benchmarks.scale_tick import TICKS, dagster_of

SIZES = (1_000, 10_000, 100_000)
WORST_EXPONENT = 1.15
"""Above this growth is called more than linear; below it differences are noise."""
_MODULES = {
    **dict.fromkeys(PARTS, "export_pipeline_tests.benchmarks.scale_part"),
    **dict.fromkeys(TICKS, "export_pipeline_tests.benchmarks.scale_tick"),
}


def measure(count: int, parts: Sequence[str], folder: Path) -> dict[str, Any]:
    """Measure the parts on a ledger of so many scans."""
    home = folder / str(count)
    home.mkdir()
    ledger = make_ledger(sqlite_url(home))
    shown = fill(ledger, count)
    with ledger.read() as tx:
        counted = sa.select(sa.func.count()).select_from(schema.artifacts)
        artifacts = tx.connection.execute(counted).scalar_one()
    ledger.close()
    with dagster_of(home) as instance:
        COPYLEAKS.add_partitions(instance, shown)
    if REBUILD in parts:
        fill_store(home / ARCHIVE, count)
    return {
        "scans": count,
        "artifacts": artifacts,
        "partitions": len(shown),
        "ledger_mb": (home / "ledger.sqlite").stat().st_size / 1e6,
        "parts": {part: _run(home, part) for part in parts},
    }


def _run(home: Path, part: str) -> dict[str, float]:
    command = [PYTHON, "-m", _MODULES[part], str(home), part]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout))


def exponent(measured: Sequence[Mapping[str, Any]], part: str) -> float | None:
    """How a part's CPU grows from the second largest size to the largest: 1 is linear."""
    if len(measured) < 2:
        return None
    (few, small), (many, large) = [
        (one["scans"], one["parts"][part]["cpu_seconds"]) for one in measured[-2:]
    ]
    return log(large / small) / log(many / few)


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks scale", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="scans, ascending")
    parser.add_argument("--parts", help="names apart by semicolons; all by default")
    parser.add_argument("--json", action="store_true", help="one object instead of a table")
    given = parser.parse_args(arguments)
    parts = given.parts.split(";") if given.parts else list(_MODULES)
    with TemporaryDirectory() as folder:
        sizes = [int(size) for size in given.sizes.split(",")]
        measured = [measure(size, parts, Path(folder)) for size in sizes]
    growth = {part: exponent(measured, part) for part in parts}
    if given.json:
        print(json.dumps({"sizes": measured, "exponents": growth, "load": os.getloadavg()}))
    else:
        _show(measured, growth)


def _show(measured: Sequence[Mapping[str, Any]], growth: Mapping[str, float | None]) -> None:
    console = Console()
    table = Table(title="scale: seconds a call, CPU seconds, peak MB of its process")
    for heading in ("part", *(f"{one['scans']:,} scans" for one in measured), "exponent"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for part, power in growth.items():
        cells = [_cell(one["parts"][part]) for one in measured]
        table.add_row(part, *cells, "" if power is None else _power(power))
    table.add_row("ledger's size", *(f"{one['ledger_mb']:,.0f} MB" for one in measured), "")
    console.print(table)
    console.print(f"load average {', '.join(f'{one:.1f}' for one in os.getloadavg())}")


def _cell(one: Mapping[str, float]) -> str:
    return f"{one['seconds']:.3f}  {one['cpu_seconds']:.3f}  {one['peak_mb']:.0f} MB"


def _power(power: float) -> str:
    return f"{power:.2f}{' (!)' if power > WORST_EXPONENT else ''}"
