"""A home of a vendor: its bench with a store and the workflow's verbs, all on one clock."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from export_pipeline.archive.layout import bag_prefix
from export_pipeline.ledger import events, orders, registry
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.ledger.rows import QueueClass, Scan
from export_pipeline.ledger.schema import metadata
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.sandbox import SteppedClock
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store
from export_pipeline.vendors.vendor import Registration
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.poll import poll
from export_pipeline.workflow.reconcile import reconcile
from export_pipeline.workflow.register import queue_registered
from export_pipeline.workflow.send import drain
from export_pipeline_tests.servers.receiver import SECRET
from export_pipeline_tests.vendors.bench import AnyVendor, SandboxBench

DEADLINE_SECONDS = 600.0
ROUNDS = 200


class Home(SandboxBench[AnyVendor]):
    """Goes on by itself: sleeping moves the clock.

    `read_line` reads an import line of the vendor's; `between` happens after the orders were sent
    and ended; `polls` is whether they are asked after.
    """

    read_line: ClassVar[Callable[[Mapping[str, Any]], Registration]]
    clock: SteppedClock
    store: Store
    receiver = ""
    polls = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.settings = self.settings.model_copy(update={"order_deadline": DEADLINE_SECONDS})
        self.vendor = self.make_vendor()
        self.between: Callable[[], None] = lambda: None

    def open_ledger(self) -> Ledger:
        ledger = Ledger(sqlite_url(self.folder), lambda _: self.clock.now())
        with ledger.write() as tx:
            metadata.create_all(tx.connection)
        return ledger

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    def end(self) -> None:
        """Let the vendor end what it was asked for."""
        raise NotImplementedError

    @property
    def pipeline(self) -> Pipeline:
        addresses = Addresses(self.receiver or self.settings.receiver_url, (SECRET,))
        return Pipeline(
            self.settings, self.ledger, self.store, self.vendor, addresses, sleep=self.sleep
        )

    def register(self, *lines: dict[str, Any]) -> list[Scan]:
        told = [type(self).read_line(line) for line in lines]
        with self.ledger.write() as tx:
            for one in told:
                key = ScanKey(self.vendor.name, "default", one.scan)
                registry.register(tx, key, source="test", details=one.details)
            return queue_registered(tx, self.vendor, QueueClass.NIGHTLY, len(lines))

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

    def look(self, work: Callable[..., Any], *args: Any) -> Any:
        with self.ledger.read() as tx:
            return work(tx, *args)

    def scan(self, scan: Scan) -> Scan:
        found: Scan = self.look(registry.by_id, scan.id)
        return found

    def orders(self, scan: Scan) -> int:
        return len(self.look(orders.of_scan, scan.id))

    def history(self, scan: Scan) -> str:
        found = self.look(events.history, scan.id)
        return "\n".join(f"{one.event} {one.detail}" for one in found)

    def bag(self, scan: Scan) -> Path:
        return self.folder / "archive" / bag_prefix(scan.key, self.scan(scan).generation)
