"""The workflow on a clock that the test steps, with a vendor that does what the test says."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from export_pipeline.archive.layout import bag_prefix
from export_pipeline.ledger import artifacts, events, generations, inbox, orders, registry
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import (
    Artifact,
    ArtifactState,
    Event,
    Generation,
    Order,
    OrderState,
    QueueClass,
    Scan,
)
from export_pipeline.ledger.schema import metadata
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.sandbox.copyleaks.artifacts import artifact_bytes
from export_pipeline.scans import DEFAULT_ACCOUNT, ScanKey
from export_pipeline.settings import Settings
from export_pipeline.storage.local import LocalStore
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.order import Requested, request
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.reconcile import reconcile
from export_pipeline.workflow.send import drain

Result = TypeVar("Result")
SINGLES = ("ai_detection", "crawled_version", "overview", "pdf_report", "writing_feedback")
ENABLED = dict.fromkeys(SINGLES, True)
ENVIRONMENT = {
    "EXPORT_RECEIVER_SECRET": "a-secret-of-the-tests",
    "EXPORT_RECEIVER_URL": "http://receiver.example",
    "EXPORT_COPYLEAKS_EMAIL": "one@example.com",
    "EXPORT_COPYLEAKS_KEY": "one",
    "EXPORT_COPYLEAKS_ACCOUNTS": "second",
    "EXPORT_COPYLEAKS_SECOND_EMAIL": "two@example.com",
    "EXPORT_COPYLEAKS_SECOND_KEY": "two",
}


class ScriptedCopyleaks(Copyleaks):
    """Copyleaks without its network: each call gets the next of `answers`, else is accepted."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        super().__init__(settings, ledger)
        self.answers: deque[Exception | Callable[[Placement], None]] = deque()
        self.placed: list[Placement] = []

    async def prepare(self, account: str) -> None:
        """Nothing needs a login."""

    async def place(self, placement: Placement) -> Receipt:
        self.placed.append(placement)
        await placement.leaves()
        answer = self.answers.popleft() if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            answer(placement)
        return Receipt(request_id=f"request-{len(self.placed)}")


class Stepped:
    """A home, the verbs on it, and the hands of the vendor. `now` is stepped by every sleep."""

    make_vendor: type[ScriptedCopyleaks] = ScriptedCopyleaks

    def __init__(self, home: Path, **changes: Any) -> None:
        self.now = 1_800_000_000.0
        self.home = home
        self.ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}", lambda _: self.now)
        with self.ledger.write() as tx:
            metadata.create_all(tx.connection)
        self.settings = Settings.from_env(ENVIRONMENT, home).model_copy(update=changes)
        self.addresses = Addresses(self.settings.receiver_url, self.settings.secrets)
        self.store = LocalStore(home / "archive")
        self.vendor = self.make_vendor(self.settings, self.ledger)

    def pipeline(self, **parts: Any) -> Pipeline:
        """A process's own pipeline; `parts` take the place of the usual ones."""
        given = {"store": self.store, "vendor": self.vendor, "sleep": self.sleep, **parts}
        return Pipeline(self.settings, self.ledger, addresses=self.addresses, **given)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def run(self, work: Callable[[Pipeline], Awaitable[Result]], **parts: Any) -> Result:
        async def running() -> Result:
            return await work(self.pipeline(**parts))

        return asyncio.run(running())

    def look(self, work: Callable[..., Result], *args: Any) -> Result:
        with self.ledger.read() as tx:
            return work(tx, *args)

    def write(self, work: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        with self.ledger.write() as tx:
            return work(tx, *args, **kwargs)

    # What users and schedules do.

    def register(
        self,
        name: str,
        *,
        results: Sequence[str] | None = ("r1", "r2"),
        enabled: dict[str, bool] | None = ENABLED,
        account: str = DEFAULT_ACCOUNT,
        expires_at: float | None = None,
    ) -> Scan:
        """Register a scan whose record says what is given."""
        key = ScanKey("copyleaks", account, name)
        told = {"result_ids": results and list(results), "enabled": enabled}
        details = {field: value for field, value in told.items() if value is not None}
        if results is not None:
            details["result_ids"] = list(results)
        scan, _ = self.write(
            registry.register, key, source="test", details=details, expires_at=expires_at
        )
        return scan

    def request(
        self, scan: Scan, queue_class: QueueClass = QueueClass.HAND, **wanted: Any
    ) -> Requested:
        """Ask for a scan as it stands now."""
        current = self.scan(scan)
        return self.write(request, self.vendor, current, queue_class=queue_class, **wanted)

    def ordered(self, name: str, **known: Any) -> Scan:
        """Register a scan, ask for it, and have it sent."""
        scan = self.register(name, **known)
        self.request(scan)
        self.send()
        return self.scan(scan)

    def archived(self, name: str, **known: Any) -> Scan:
        """A scan of which everything came."""
        scan = self.ordered(name, **known)
        self.deliver(self.newest(scan))
        self.collect()
        return self.scan(scan)

    def send(self, seconds: float = 60.0) -> int:
        return self.run(lambda pipeline: drain(pipeline, seconds=seconds))

    def collect(self, **parts: Any) -> int:
        async def work(pipeline: Pipeline) -> int:
            await read_completions(pipeline)
            return await collect(pipeline, limit=100)

        return self.run(work, **parts)

    def reconcile(self, **parts: Any) -> Any:
        return self.run(reconcile, **parts)

    # What the vendor does.

    def upload(self, order: Order, names: Collection[str] | None = None, **how: Any) -> None:
        """Write the order's artifacts (or those of `names`) as the receiver does."""
        for one in self.look(artifacts.of_order, order.id):
            if names is None or one.name in names:
                self.put(one, **how)

    def put(self, artifact: Artifact, *, content: bytes | None = None) -> None:
        """Write one artifact, its real bytes unless `content` says otherwise."""
        data = content if content is not None else content_of(artifact)
        key = self.key(artifact)

        async def pieces() -> Any:
            yield data

        asyncio.run(self.store.put(key, pieces()))

    def complete(self, order: Order, *, unhealthy: Collection[str] = ()) -> None:
        """Post that the order ended."""
        tasks = [
            {
                "endpoint": self.addresses.upload(order.id, one.name).url,
                "isHealthy": one.name not in unhealthy,
                "httpStatusCode": 500 if one.name in unhealthy else 201,
            }
            for one in self.look(artifacts.of_order, order.id)
        ]
        body = json.dumps({"completed": True, "developerPayload": order.id, "tasks": tasks})
        self.write(
            inbox.receive,
            vendor="copyleaks",
            account=order.account,
            topic=inbox.ORDERS,
            subject=order.id,
            headers={},
            body=body.encode(),
        )

    def deliver(self, order: Order) -> None:
        """Bring everything and say so."""
        self.upload(order)
        self.complete(order)

    # What there is to see.

    def scan(self, scan: Scan) -> Scan:
        return self.look(registry.by_id, scan.id)

    def generation(self, scan: Scan) -> Generation:
        found = self.look(generations.current, self.scan(scan))
        assert found is not None
        return found

    def artifacts(self, scan: Scan) -> dict[str, Artifact]:
        every = self.look(artifacts.of_generation, scan.id, self.scan(scan).generation)
        return {one.name: one for one in every}

    def states(self, scan: Scan) -> dict[str, str]:
        return {name: one.state.value for name, one in self.artifacts(scan).items()}

    def orders(self, scan: Scan) -> list[Order]:
        return self.look(orders.of_scan, scan.id)

    def newest(self, scan: Scan) -> Order:
        """The newest order that is not closed."""
        return [one for one in self.orders(scan) if one.state != OrderState.CLOSED][-1]

    def names(self, order: Order) -> list[str]:
        return [one.name for one in self.look(artifacts.of_order, order.id)]

    def asked(self, placement: Placement) -> list[str]:
        return sorted(placement.targets)

    def history(self, scan: Scan) -> list[Event]:
        return self.look(events.history, scan.id)

    def events(self, scan: Scan) -> list[str]:
        return [one.event for one in self.history(scan)]

    def key(self, artifact: Artifact) -> str:
        scan = self.look(registry.by_id, artifact.scan_id)
        return self.pipeline().key(scan, artifact.generation, artifact.name)

    def folder(self, scan: Scan, generation: int | None = None) -> Path:
        number = generation or self.scan(scan).generation
        return self.home / "archive" / bag_prefix(scan.key, number)

    def stored(self, scan: Scan) -> set[str]:
        """Payload files of all generations, as generation/name."""
        root = self.folder(scan).parent
        found = [path.relative_to(root) for path in root.glob("*/data/**/*") if path.is_file()]
        return {str(path).replace("/data/", "/", 1) for path in found}

    def recorded(self, scan: Scan) -> set[str]:
        """The same by the ledger, of the newest generation."""
        return {
            f"{one.generation}/{name}"
            for name, one in self.artifacts(scan).items()
            if one.state == ArtifactState.VERIFIED
        }


def content_of(artifact: Artifact) -> bytes:
    """The bytes that the vendor has for it."""
    head, *rest = artifact.kind.split("_")
    field = head + "".join(part.title() for part in rest)
    wanted = f"results/{artifact.vendor_name}" if artifact.vendor_name else field
    return artifact_bytes(str(artifact.scan_id), wanted, None)


@contextmanager
def stepped(home: Path, **changes: Any) -> Iterator[Stepped]:
    """A home on a stepped clock; `changes` override its settings."""
    home.mkdir(exist_ok=True)
    made = Stepped(home, **changes)
    try:
        yield made
    finally:
        made.ledger.close()
