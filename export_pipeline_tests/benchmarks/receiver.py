"""How many durable webhooks and uploads one receiver process takes, beside a plain app."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import psutil
from rich.console import Console
from rich.table import Table

from export_pipeline.receiver.addresses import TOKEN_HEADER, Addresses
from export_pipeline.storage.store import UploadTarget
from export_pipeline_tests.benchmarks import load, peer
from export_pipeline_tests.receiver.home import make_home
from export_pipeline_tests.servers import receiver as servers

TARGET_PER_SECOND = {"webhooks": 1_000, "uploads": 500}
TARGET_P99_MS = 100
FLAT_OUT_SECONDS = 5
PACED_SECONDS = 5
WEBHOOK_BODY = json.dumps(
    {"completed": True, "developerPayload": "x" * 200, "tasks": [{"endpoint": "y" * 80}] * 4}
)
UPLOAD_BODY = json.dumps({"text": {"value": "z" * 20_000}})


def measure() -> dict[str, Any]:
    """Measure the receiver and the plain app, one after the other, on homes of their own."""
    return {
        "target_per_second": TARGET_PER_SECOND,
        "target_p99_ms": TARGET_P99_MS,
        **{name: _measure(name, module) for name, module in _SERVERS.items()},
    }


def show(result: dict[str, Any], console: Console) -> None:
    """Print the figures as a table."""
    table = Table(title="Durable requests on one process")
    for heading in ("server", "kind", "load", "per second", "p50 ms", "p99 ms", "CPU ms each"):
        table.add_column(heading, justify="left" if heading in _WORDS else "right")
    for name in _SERVERS:
        for kind in TARGET_PER_SECOND:
            for loaded, figures in result[name][kind].items():
                numbers = [f"{value:,.2f}" for value in figures.values()]
                table.add_row(name, kind, loaded, *numbers)
    console.print(table)
    console.print(
        f"targets: {TARGET_PER_SECOND['webhooks']} webhooks and {TARGET_PER_SECOND['uploads']}"
        f" uploads a second; p99 below {TARGET_P99_MS} ms at half of that"
    )


_SERVERS = {"receiver": servers.__name__, "plain": peer.__name__}
_WORDS = ("server", "kind", "load")


def _measure(name: str, module: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        requests = _Requests(home)
        with _running(module, home) as (process, url):
            return {kind: _measure_kind(process, url, kind, requests) for kind in TARGET_PER_SECOND}


def _measure_kind(
    process: psutil.Process, url: str, kind: str, requests: "_Requests"
) -> dict[str, Any]:
    target = TARGET_PER_SECOND[kind]
    plan = {
        "full": (target * FLAT_OUT_SECONDS, 0.0),
        "half of target": (target // 2 * PACED_SECONDS, target / 2),
    }
    _load(process, url, requests.take(kind, target // 2, 0.0))  # warms caches up
    return {
        loaded: _load(process, url, requests.take(kind, count, rate))
        for loaded, (count, rate) in plan.items()
    }


def _load(process: psutil.Process, url: str, job: load.Job) -> dict[str, float]:
    job["port"] = urlsplit(url).port or 0
    before = _cpu_seconds(process)
    sender = subprocess.run(
        [sys.executable, "-m", load.__name__],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
    )
    cpu_seconds = _cpu_seconds(process) - before
    told: load.Told = json.loads(sender.stdout)
    percentiles = quantiles(told["latencies"], n=100)
    return {
        "per_second": told["per_second"],
        "p50_ms": percentiles[49] * 1000,
        "p99_ms": percentiles[98] * 1000,
        "cpu_ms": cpu_seconds / len(job["requests"]) * 1000,
    }


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


class _Requests:
    """Requests that were not sent before, to a home with an order that waits for them."""

    def __init__(self, home: Path) -> None:
        made = make_home(home)
        uploads = TARGET_PER_SECOND["uploads"] * (1 + FLAT_OUT_SECONDS + PACED_SECONDS)
        names = [f"results/{number}.json" for number in range(uploads)]
        self._order = made.order("scan", names)
        self._names: Iterator[str] = iter(names)
        self._addresses = Addresses("", (servers.SECRET,))
        made.ledger.close()

    def take(self, kind: str, count: int, rate: float) -> load.Job:
        """Return a job of so many requests, its port open."""
        targets: Sequence[UploadTarget]
        if kind == "webhooks":
            targets = [self._addresses.order_webhook(self._order)] * count
        else:
            targets = [
                self._addresses.upload(self._order.id, next(self._names)) for _ in range(count)
            ]
        return {
            "port": 0,
            "verb": targets[0].verb,
            "requests": [(target.url, dict(target.headers)[TOKEN_HEADER]) for target in targets],
            "body": WEBHOOK_BODY if kind == "webhooks" else UPLOAD_BODY,
            "rate": rate,
            "expected": 200 if kind == "webhooks" else 201,
        }


@contextmanager
def _running(module: str, home: Path) -> Iterator[tuple[psutil.Process, str]]:
    server = subprocess.Popen(
        [sys.executable, "-m", module, str(home)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        yield psutil.Process(server.pid), server.stdout.readline().strip()
    finally:
        server.terminate()
        server.communicate()
