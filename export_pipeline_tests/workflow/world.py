"""A whole small world on loopback: the vendors' sandbox, a receiver, a ledger, a local store."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa

from export_pipeline.archive.layout import bag_prefix
from export_pipeline.ledger import (
    artifacts,
    events,
    generations,
    inbox,
    orders,
    registry,
    schema,
)
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import (
    Artifact,
    ArtifactState,
    Event,
    GenerationState,
    Order,
    Scan,
)
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.app import build
from export_pipeline.receiver.forgotten import Forgotten
from export_pipeline.sandbox import Sandbox, SandboxOptions, ScanSpec
from export_pipeline.sandbox.copyleaks.options import CopyleaksOptions
from export_pipeline.scans import DEFAULT_ACCOUNT, ScanKey
from export_pipeline.settings import Settings
from export_pipeline.storage.local import LocalStore
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.reconcile import reconcile
from export_pipeline.workflow.register import read_registrations
from export_pipeline.workflow.send import drain
from export_pipeline_tests.servers.receiver import SECRET, running

Result = TypeVar("Result")
GIVE_UP_SECONDS = 120.0


@dataclass
class World:
    """Everything a test acts on; `environment` points a process of its own at the same world."""

    home: Path
    sandbox: Sandbox
    environment: dict[str, str]
    settings: Settings
    ledger: Ledger
    store: LocalStore
    addresses: Addresses

    def pipeline(self, **changes: Any) -> Pipeline:
        """A pipeline as a process would make it; `changes` override its settings."""
        settings = self.settings.model_copy(update=changes)
        vendor = Copyleaks(settings, self.ledger)
        return Pipeline(settings, self.ledger, self.store, vendor, self.addresses)

    def control(self, path: str, body: Any) -> httpx.Response:
        """Tell the sandbox something."""
        url = f"{self.sandbox.addresses['copyleaks_control']}/{path}"
        answer = httpx.post(url, json=body, timeout=GIVE_UP_SECONDS)
        answer.raise_for_status()
        return answer

    def create(self, specs: Sequence[ScanSpec], account: str = DEFAULT_ACCOUNT) -> list[str]:
        """Create scans at the vendor, their webhooks set to the receiver; return their ids."""
        hook = self.addresses.scan_webhook("copyleaks", account)
        aimed = [replace(one, status_url=hook.url, status_headers=hook.headers) for one in specs]
        self.control("scans", [spec.to_json() for spec in aimed])
        return [spec.id for spec in specs]

    def forget(self, scan_id: str) -> None:
        """Delete a scan at the vendor."""
        url = f"{self.sandbox.addresses['copyleaks_control']}/scans/{scan_id}"
        httpx.delete(url, timeout=GIVE_UP_SECONDS).raise_for_status()

    def complete(self, ids: Sequence[str], email: str | None = None) -> None:
        """Have the vendor post the scans' completed webhooks, and wait until they are in."""
        before = self.letters(inbox.SCANS)
        self.control("scans/complete", {"ids": list(ids), "account": email})
        self.until(lambda: self.letters(inbox.SCANS) >= before + len(ids))

    def letters(self, topic: str) -> int:
        """How many webhooks of the topic came in."""
        of_topic = sa.select(sa.func.count()).where(schema.inbox.c.topic == topic)
        return self.look(lambda tx: int(tx.connection.execute(of_topic).scalar_one()))

    def register(self, pipeline: Pipeline) -> list[Scan]:
        """Register from the inbox, as the sensor does."""
        return self.write(read_registrations, pipeline.vendor, pipeline.settings, 10_000)

    def scan(self, scan_id: str, account: str = DEFAULT_ACCOUNT) -> Scan:
        """A scan as it stands."""
        return self.look(registry.get, ScanKey("copyleaks", account, scan_id))

    def artifacts(self, scan_id: str) -> dict[str, Artifact]:
        """The artifacts of a scan's newest generation by name."""
        scan = self.scan(scan_id)
        every = self.look(artifacts.of_generation, scan.id, scan.generation)
        return {one.name: one for one in every}

    def orders(self, scan_id: str) -> list[Order]:
        """A scan's orders of all generations, oldest first."""
        return self.look(orders.of_scan, self.scan(scan_id).id)

    def history(self, scan_id: str) -> list[Event]:
        """What happened to a scan, in order."""
        return self.look(events.history, self.scan(scan_id).id)

    def ordered(self, scan_id: str) -> list[list[str]]:
        """The artifacts of each order that the vendor accepted, in turn."""
        accepted = self.sandbox.stats()["orders"]
        return [sorted(one["artifacts"]) for one in accepted if one["scan"] == scan_id]

    def bag(self, scan_id: str) -> Path:
        """The folder of a scan's newest generation."""
        scan = self.scan(scan_id)
        return self.home / "archive" / bag_prefix(scan.key, scan.generation)

    def stored(self, scan_id: str) -> dict[str, str]:
        """Every payload file of a scan in the store: generation/name -> sha256."""
        root = self.bag(scan_id).parent
        files = [path for path in root.glob("*/data/**/*") if path.is_file()]
        names = [str(path.relative_to(root)).replace("/data/", "/", 1) for path in files]
        return {
            name: sha256(path.read_bytes()).hexdigest()
            for name, path in zip(names, files, strict=True)
        }

    def recorded(self, scan_id: str) -> dict[str, str]:
        """The same as the ledger has it: what was verified, of generations not given up."""
        scan = self.scan(scan_id)
        return self.look(_recorded, scan)

    def look(self, work: Callable[..., Result], *args: Any) -> Result:
        """Read something from the ledger."""
        with self.ledger.read() as tx:
            return work(tx, *args)

    def write(self, work: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Change something in the ledger."""
        with self.ledger.write() as tx:
            return work(tx, *args, **kwargs)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that happens by itself; fail after a long time."""
        end = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.02)

    def run(self, pipeline: Pipeline, work: Callable[[Pipeline], Awaitable[Result]]) -> Result:
        """Run some of the workflow in an event loop of its own."""

        async def closing() -> Result:
            try:
                return await work(pipeline)
            finally:
                await pipeline.vendor.aclose()

        return asyncio.run(closing())

    def settle(self, pipeline: Pipeline, ids: Sequence[str]) -> None:
        """Send, collect and reconcile until the scans are settled."""

        async def work(pipeline: Pipeline) -> None:
            end = time.monotonic() + GIVE_UP_SECONDS
            while any(self.scan(one).state not in registry.SETTLED for one in ids):
                assert time.monotonic() < end, [self.scan(one) for one in ids]
                await drain(pipeline, seconds=5)
                await read_completions(pipeline)
                await collect(pipeline, limit=100)
                await reconcile(pipeline)
                await asyncio.sleep(0.05)

        self.run(pipeline, work)

    def archive(self, specs: Sequence[ScanSpec], **changes: Any) -> list[Scan]:
        """Create, complete, register and settle scans."""
        pipeline = self.pipeline(**changes)
        ids = self.create(specs)
        self.complete(ids)
        self.register(pipeline)
        self.settle(pipeline, ids)
        return [self.scan(one) for one in ids]


@contextmanager
def world(home: Path, options: CopyleaksOptions | None = None) -> Iterator[World]:
    """Start everything in `home`; the vendor's limits are the fast ones."""
    vendor = options or CopyleaksOptions(pace="fast")
    with Sandbox(SandboxOptions(copyleaks=vendor)) as sandbox:
        environment = {
            "EXPORT_PIPELINE_HOME": str(home),
            "EXPORT_RECEIVER_SECRET": SECRET,
            "EXPORT_COPYLEAKS_API_URL": sandbox.addresses["copyleaks_api"],
            "EXPORT_COPYLEAKS_LOGIN_URL": sandbox.addresses["copyleaks_identity"],
            "EXPORT_COPYLEAKS_EMAIL": sandbox.addresses["copyleaks_email"],
            "EXPORT_COPYLEAKS_KEY": sandbox.addresses["copyleaks_key"],
            "EXPORT_COPYLEAKS_EXPORTS_PER_MINUTE": "6000",
            "EXPORT_COPYLEAKS_REQUESTS_PER_SECOND": "1000",
            "EXPORT_ORDER_PATIENCE": "1",
            "EXPORT_ORDER_DEADLINE": "600",
        }
        settings = Settings.from_env(environment)
        settings.make_home()
        ledger = make_ledger(settings.ledger_url)
        store = LocalStore(home / "archive")
        readers = {"copyleaks": Copyleaks(settings, ledger).read_registration}
        forgotten = Forgotten(ledger, settings.tombstone_secret, readers)
        with running(build(ledger, store, Addresses("", (SECRET,)), forgotten=forgotten)) as url:
            environment["EXPORT_RECEIVER_URL"] = url
            yield World(
                home,
                sandbox,
                environment,
                Settings.from_env(environment),
                ledger,
                store,
                Addresses(url, (SECRET,)),
            )
        ledger.close()


def _recorded(tx: Tx, scan: Scan) -> dict[str, str]:
    found: dict[str, str] = {}
    for number in range(1, scan.generation + 1):
        generation = generations.find(tx, scan.id, number)
        if generation is not None and generation.state != GenerationState.ABANDONED:
            for one in artifacts.of_generation(tx, scan.id, number):
                if one.state == ArtifactState.VERIFIED:
                    found[f"{number}/{one.name}"] = one.sha256 or ""
    return found
