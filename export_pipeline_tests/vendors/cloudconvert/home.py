"""A home of CloudConvert: the bench with a store, a receiver, and the workflow's verbs."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from export_pipeline.archive.layout import bag_prefix
from export_pipeline.ledger import artifacts, events, orders, registry
from export_pipeline.ledger.database import Ledger, Tx, sqlite_url
from export_pipeline.ledger.rows import Artifact, QueueClass, Scan
from export_pipeline.ledger.schema import metadata
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.app import build
from export_pipeline.sandbox import Sandbox, SandboxOptions, SteppedClock
from export_pipeline.sandbox.cloudconvert import CloudConvertOptions
from export_pipeline.scans import ScanKey
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.vendors.cloudconvert.importing import read_line
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.poll import poll
from export_pipeline.workflow.reconcile import reconcile
from export_pipeline.workflow.register import queue_registered, read_registrations
from export_pipeline.workflow.send import drain
from export_pipeline_tests.servers.receiver import SECRET, running
from export_pipeline_tests.vendors.cloudconvert.bench import CloudConvertBench
from export_pipeline_tests.vendors.cloudconvert.web_store import WebStore, web_store

DEADLINE_SECONDS = 600.0
ROUNDS = 60


class Home(CloudConvertBench):
    """`between` happens after the orders were sent; `polls` is whether they are asked after."""

    def __init__(self, home: Path, sandbox: Sandbox, clock: SteppedClock, store: WebStore) -> None:
        super().__init__(home, sandbox, clock)
        self.ledger.close()
        self.ledger = Ledger(sqlite_url(home), lambda _: clock.now())
        metadata.create_all(self.ledger.engine)
        self.folder = home
        self.store = store
        self.settings = self.settings.model_copy(update={"order_deadline": DEADLINE_SECONDS})
        self.vendor = self.make_vendor()
        self.between: Callable[[], None] = lambda: None
        self.polls = True
        self.receiver = ""

    def make_vendor(self, **variables: str) -> CloudConvert:
        made = super().make_vendor(**variables)
        made._sleep = self.sleep
        for one in made._accounts.values():
            one.client._sleep = self.sleep
            one.opening._sleep = self.sleep
        return made

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    @property
    def pipeline(self) -> Pipeline:
        addresses = Addresses(self.receiver or self.settings.receiver_url, (SECRET,))
        return Pipeline(
            self.settings, self.ledger, self.store, self.vendor, addresses, sleep=self.sleep
        )

    @contextmanager
    def receiving(self, **variables: str) -> Iterator[str]:
        """Run the receiver, and name its address to the vendor."""
        signed = {"cloudconvert": self.vendor.signed}
        with running(build(self.ledger, self.store, Addresses("", (SECRET,)), signed)) as url:
            self.receiver = url
            self.settings = self.settings.model_copy(update={"receiver_url": url})
            self.vendor = self.make_vendor(EXPORT_CLOUDCONVERT_JOB_WEBHOOKS="true", **variables)
            yield url

    def register(self, *lines: dict[str, Any]) -> list[Scan]:
        with self.ledger.write() as tx:
            for one in map(read_line, lines):
                key = ScanKey("cloudconvert", "default", one.scan)
                registry.register(tx, key, source="test", details=one.details)
            return queue_registered(tx, self.vendor, QueueClass.NIGHTLY, 100)

    def settle(self, *lines: dict[str, Any]) -> list[Scan]:
        """Register and order scans, and go on until they are settled."""
        return self.go_on(self.register(*lines))

    def go_on(self, scans: list[Scan]) -> list[Scan]:
        async def work() -> None:
            pipeline = self.pipeline
            for _ in range(ROUNDS):
                if all(self.scan(one).state in registry.SETTLED for one in scans):
                    break
                await drain(pipeline, seconds=60)
                await asyncio.to_thread(self.end)
                await asyncio.to_thread(self.between)
                await read_completions(pipeline)
                if self.polls:
                    await poll(pipeline, seconds=5)
                await collect(pipeline, limit=100)
                await reconcile(pipeline)
            await reconcile(pipeline)
            await self.close()

        asyncio.run(work())
        return [self.scan(one) for one in scans]

    def run(self, work: Callable[[Pipeline], Awaitable[Any]]) -> None:
        async def closing() -> None:
            await work(self.pipeline)
            await self.close()

        asyncio.run(closing())

    def read_letters(self) -> list[Scan]:
        with self.ledger.write() as tx:
            return read_registrations(tx, self.vendor, self.settings, 100)

    def look(self, work: Callable[..., Any], *args: Any) -> Any:
        with self.ledger.read() as tx:
            return work(tx, *args)

    def scan(self, scan: Scan) -> Scan:
        found: Scan = self.look(registry.by_id, scan.id)
        return found

    def orders(self, scan: Scan) -> int:
        return len(self.look(orders.of_scan, scan.id))

    def files(self, scan: Scan) -> dict[str, Artifact]:
        def read(tx: Tx) -> list[Artifact]:
            return artifacts.of_generation(tx, scan.id, self.scan(scan).generation)

        return {one.name: one for one in self.look(read)}

    def history(self, scan: Scan) -> str:
        found = self.look(events.history, scan.id)
        return "\n".join(f"{one.event} {one.detail}" for one in found)

    def bag(self, scan: Scan) -> Path:
        return self.folder / "archive" / bag_prefix(scan.key, self.scan(scan).generation)

    def payload(self, scan: Scan) -> dict[str, bytes]:
        """The files in a scan's bag."""
        root = self.bag(scan) / "data"
        found = [path for path in root.rglob("*") if path.is_file()]
        return {str(path.relative_to(root)): path.read_bytes() for path in found}

    def provenance(self, scan: Scan) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.bag(scan) / "provenance.json").read_text())
        return record

    def operations(self) -> list[str]:
        """What exported, of the jobs of ours, in turn."""
        jobs = [self.call("GET", f"/v2/jobs/{job}").json() for _, job in self.ours()]
        return [
            task["operation"]
            for job in jobs
            for task in job.get("data", {}).get("tasks", [])
            if task["operation"].startswith("export/")
        ]

    def ours(self) -> list[tuple[str, str]]:
        """Tag and id of each job that orders made."""
        made = [(one.get("tag") or "", one["id"]) for one in self.stats()["created"]]
        return [one for one in made if one[0].startswith("export-pipeline-")]


@contextmanager
def home_of(folder: Path, **options: Any) -> Iterator[Home]:
    clock = SteppedClock()
    chosen = CloudConvertOptions(pace="fast", **options)
    with (
        Sandbox(SandboxOptions(cloudconvert=chosen), clock) as sandbox,
        web_store(folder / "archive") as store,
    ):
        made = Home(folder, sandbox, clock, store)
        yield made
        made.ledger.close()
