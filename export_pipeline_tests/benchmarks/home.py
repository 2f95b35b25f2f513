"""A fresh home with a sandbox and a receiver, each in a process of its own, as a user has them."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import httpx

import export_pipeline
from export_pipeline.demo.variables import sandbox_variables
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.home import make_ledger
from export_pipeline.sandbox import Pace, SandboxOptions, ScanSpec
from export_pipeline.settings import Settings
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.workflow.register import read_registrations
from export_pipeline_tests.benchmarks.processes import Process
from export_pipeline_tests.servers.receiver import SECRET

ROOT = Path(export_pipeline.__file__).parents[1]
LETTERS_PER_TRANSACTION = 200
GIVE_UP_SECONDS = 600.0
POLL_SECONDS = 0.25


@dataclass
class Home:
    """Where a benchmark works, with the sandbox of one vendor in view."""

    path: Path
    environment: dict[str, str]
    settings: Settings
    ledger: Ledger
    sandbox: dict[str, str]
    receiver: Process
    vendor: str = "copyleaks"
    started: int = 0

    def start(self, *arguments: str) -> Process:
        """Start a Python module on this home, e.g. `dagster dev`."""
        self.started += 1
        log = self.path / f"log-{self.started}.txt"
        return Process(arguments, self.environment, self.path, log)

    def start_job(self, job: str) -> Process:
        """Start a run of an op job in a process of its own, as a run launcher does."""
        target = ["-m", "export_pipeline.definitions", "-j", job]
        return self.start("dagster", "job", "execute", *target)

    def control(self, path: str, body: Any) -> Any:
        """Tell the sandbox something; return its answer, None without one."""
        url = f"{self.sandbox[f'{self.vendor}_control']}/{path}"
        answer = httpx.post(url, json=body, timeout=60).raise_for_status()
        return answer.json() if answer.content else None

    def stats(self) -> dict[str, Any]:
        """What the sandbox counted."""
        answer = httpx.get(f"{self.sandbox[f'{self.vendor}_control']}/stats", timeout=60)
        return dict(answer.json())

    def instance(self) -> dg.DagsterInstance:
        """Dagster's instance of this home."""
        with chdir(self.path):
            return dg.DagsterInstance.from_config(str(self.path))

    def complete(self, specs: list[ScanSpec]) -> None:
        """Make the scans at Copyleaks and register them by their webhooks.

        As the sensor of these webhooks does, but ordering none.
        """
        self.control("scans", [spec.to_json() for spec in specs])
        self.control("scans/complete", {"ids": [spec.id for spec in specs]})
        settings = self.settings.model_copy(update={"order_on_webhook": False})
        vendor = Copyleaks(settings, self.ledger)

        def is_done() -> bool:
            with self.ledger.write() as tx:
                read_registrations(tx, vendor, settings, LETTERS_PER_TRANSACTION)
            return self.count("SELECT count(*) FROM scans") == len(specs)

        until(is_done)

    def bring_in(self, vendor: str, lines: Sequence[str]) -> None:
        """Register scans by the command that imports them, one a line."""
        file = self.path / "scans.jsonl"
        file.write_text("".join(f"{line}\n" for line in lines))
        command = ("export_pipeline.cli", "scans", "import", str(file), "--vendor", vendor)
        self.start(*command).finish()

    def count(self, query: str) -> float:
        """The one number that a query on the ledger returns; 0 for none."""
        with self.ledger.read() as tx:
            return float(tx.connection.exec_driver_sql(query).scalar_one() or 0)


def until(is_done: Callable[[], bool]) -> None:
    """Wait for something that processes do.

    Raises:
        TimeoutError: it took far too long.
    """
    end = time.monotonic() + GIVE_UP_SECONDS
    while not is_done():
        if time.monotonic() > end:
            raise TimeoutError("the benchmark did not come to its end; its log says why")
        time.sleep(POLL_SECONDS)


@contextmanager
def home(vendor: str = "copyleaks", pace: Pace = "fast", **variables: str) -> Iterator[Home]:
    """Start sandbox and receiver on a new folder; `variables` override the environment."""
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory(prefix="export-benchmark-")))
        shutil.copy(ROOT / "dagster.yaml", path)
        command = ["export_pipeline.sandbox", "--pace", pace]
        sandbox = stack.enter_context(Process(command, {}, path, path / "sandbox.txt"))
        addresses = json.loads(sandbox.first_line())
        environment = {**_environment(path, addresses, pace), **variables}
        settings = Settings.from_env(environment)
        settings.make_home()
        ledger = make_ledger(settings.ledger_url)
        stack.callback(ledger.close)
        command = ["export_pipeline_tests.servers.receiver", str(path)]
        receiver = stack.enter_context(Process(command, environment, path, path / "receiver.txt"))
        environment["EXPORT_RECEIVER_URL"] = receiver.first_line()
        settings = Settings.from_env(environment)
        yield Home(path, environment, settings, ledger, addresses, receiver, vendor)


def _environment(path: Path, addresses: dict[str, str], pace: Pace) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "DAGSTER_HOME": str(path),
        "EXPORT_PIPELINE_HOME": str(path),
        "EXPORT_RECEIVER_SECRET": SECRET,
        **sandbox_variables(addresses, SandboxOptions.at(pace)),
    }
