"""HookBridge through the whole workflow, on a clock that vendor and ledger share."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from export_pipeline.archive.layout import bag_prefix
from export_pipeline.ledger import events, orders, registry
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.ledger.rows import QueueClass, Scan, ScanState
from export_pipeline.ledger.schema import metadata
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.sandbox import Sandbox, SteppedClock
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline.vendors.hookbridge.exports import HookBridge
from export_pipeline.vendors.hookbridge.importing import read_line
from export_pipeline.vendors.hookbridge.windows import windows
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.poll import poll
from export_pipeline.workflow.reconcile import reconcile
from export_pipeline.workflow.register import queue_registered
from export_pipeline.workflow.send import drain
from export_pipeline_tests.vendors.hookbridge.bench import HookBridgeBench

DAY_SECONDS = 24 * 3600
DEADLINE_SECONDS = 600.0
ROUNDS = 200


class Home(HookBridgeBench):
    """The bench with a store, an archive, and the workflow's verbs."""

    def __init__(self, home: Path, sandbox: Sandbox, clock: SteppedClock) -> None:
        super().__init__(home, sandbox, clock)
        self.ledger.close()
        self.ledger = Ledger(sqlite_url(home), lambda _: clock.now())
        metadata.create_all(self.ledger.engine)
        self.folder = home
        self.store = LocalStore(home / "archive")
        self.settings = self.settings.model_copy(update={"order_deadline": DEADLINE_SECONDS})
        self.vendor = self.make_vendor()
        self.between: Callable[[], None] = lambda: None

    def make_vendor(self, **variables: str) -> HookBridge:
        made = super().make_vendor(**variables)
        made._sleep = self.sleep
        return made

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    def register(self, *lines: dict[str, Any]) -> list[Scan]:
        told = [read_line(line) for line in lines]
        with self.ledger.write() as tx:
            for one in told:
                key = ScanKey("hookbridge", "default", one.scan)
                registry.register(tx, key, source="test", details=one.details)
            return queue_registered(tx, self.vendor, QueueClass.NIGHTLY, 100)

    def settle(self, *lines: dict[str, Any]) -> list[Scan]:
        """Register and order scans, and go on until they are settled."""
        scans = self.register(*lines)

        async def work() -> None:
            pipeline = Pipeline(
                self.settings,
                self.ledger,
                self.store,
                self.vendor,
                Addresses(self.settings.receiver_url, ("a-secret",)),
                sleep=self.sleep,
            )
            for _ in range(ROUNDS):
                if all(self.scan(one).state in registry.SETTLED for one in scans):
                    break
                await drain(pipeline, seconds=60)
                self.between()
                await poll(pipeline, seconds=5)
                await collect(pipeline, limit=100)
                await reconcile(pipeline)
                self.clock.advance(30)
            await reconcile(pipeline)
            await self.close()

        asyncio.run(work())
        return [self.scan(one) for one in scans]

    def scan(self, scan: Scan) -> Scan:
        with self.ledger.read() as tx:
            return registry.by_id(tx, scan.id)

    def attempts(self, scan: Scan) -> int:
        with self.ledger.read() as tx:
            return len(orders.of_scan(tx, scan.id))

    def history(self, scan: Scan) -> str:
        with self.ledger.read() as tx:
            return "\n".join(f"{one.event} {one.detail}" for one in events.history(tx, scan.id))

    def archived(self, scan: Scan) -> bytes:
        bag = self.folder / "archive" / bag_prefix(scan.key, scan.generation)
        return (bag / "data" / "export.csv").read_bytes()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    clock = SteppedClock()
    with Sandbox(clock=clock) as sandbox:
        made = Home(tmp_path, sandbox, clock)
        yield made
        made.ledger.close()


def test_days_and_an_export_made_elsewhere_are_archived_as_the_vendor_has_them(
    home: Home,
) -> None:
    days = [{"scan": one.scan} for one in windows(date(2023, 10, 30), date(2023, 11, 2))]
    export_id = home.made(direction="inbound")
    scans = home.settle(*days, {"scan": export_id})
    assert {one.state for one in scans} == {ScanState.ARCHIVED}
    assert [scan for scan, _ in home.arrived()] == [day["scan"] for day in days]
    for scan in scans:
        body = home.archived(scan)
        assert body.startswith(b"message_id,")
        assert body.count(b"\r\n") > 24
    assert b",inbound," in home.archived(scans[-1])


def test_an_export_that_expired_before_it_was_collected_is_ordered_again(home: Home) -> None:
    ages = iter([8 * DAY_SECONDS])
    home.between = lambda: home.clock.advance(next(ages, 0))
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.ARCHIVED
    assert len(home.arrived()) == home.attempts(scan) == 2
    assert "the export expired before its file was read" in home.history(scan)


def test_an_export_that_expires_each_time_is_ordered_3_times_and_no_more(home: Home) -> None:
    home.between = lambda: home.clock.advance(8 * DAY_SECONDS)
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.FAILED
    assert len(home.arrived()) == 3
    assert "expired" in scan.reason


@pytest.mark.parametrize(
    ("trait", "reason"),
    [
        ("fewer_rows", "23 rows came and the vendor says 24"),
        ("fewer_bytes", "bytes and should have"),
        ("fails", "The export could not be written"),
    ],
)
def test_what_is_never_as_it_is_said_to_be_fails_after_3_orders_with_the_reason(
    home: Home, trait: str, reason: str
) -> None:
    home.faults(create=[trait] * 5)
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.FAILED
    assert reason in scan.reason
    assert len(home.arrived()) == 3


@pytest.mark.parametrize("trait", ["fewer_rows", "fewer_bytes", "fails"])
def test_what_is_as_it_is_said_to_be_at_the_second_order_is_archived(
    home: Home, trait: str
) -> None:
    home.faults(create=[trait])
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.ARCHIVED
    assert home.attempts(scan) == 2


def test_a_table_that_does_not_open_is_not_archived_as_if_it_did(home: Home) -> None:
    home.faults(create=["no_csv"])
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert "row 1 has 8 fields and the header 7" in home.history(scan)
    assert (scan.state, scan.generation) == (ScanState.ARCHIVED, 2)
    assert home.archived(scan).startswith(b"message_id,endpoint_id,")


def test_an_export_that_never_ends_is_given_up_at_its_deadlines(home: Home) -> None:
    home.faults(create=["never_ends"] * 3)
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.FAILED
    assert home.attempts(scan) == 3
    assert "deadline" in scan.reason


def test_a_creation_whose_answer_got_lost_is_not_made_twice(home: Home) -> None:
    home.faults(create=["drop"])
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.ARCHIVED
    assert len(home.arrived()) == home.attempts(scan) == 1


@pytest.mark.parametrize("operation", ["create", "get", "download", "file"])
@pytest.mark.parametrize("fault", ["429", "503"])
def test_what_passes_costs_no_order(home: Home, operation: str, fault: str) -> None:
    home.faults(**{operation: [fault] * 2})
    (scan,) = home.settle({"scan": "2023-11-10"})
    assert scan.state == ScanState.ARCHIVED
    assert len(home.arrived()) == home.attempts(scan) == 1


def test_an_export_that_is_gone_fails_at_once_and_says_what_to_do(home: Home) -> None:
    (scan,) = home.settle({"scan": "01935abc-def0-7123-8567-890abcdef012"})
    assert scan.state == ScanState.EXPIRED
    assert "its window can be registered in its place" in scan.reason
    assert home.stats()["calls"] == {"get": 1}


@pytest.mark.parametrize("is_asked", [True, False])
def test_what_is_archived_is_deleted_at_the_vendor_where_asked(home: Home, is_asked: bool) -> None:
    home.vendor = home.make_vendor(EXPORT_HOOKBRIDGE_DELETE=str(int(is_asked)))
    export_id = home.made()
    scans = home.settle({"scan": "2023-11-10"}, {"scan": export_id})
    assert {one.state for one in scans} == {ScanState.ARCHIVED}
    ((_, created),) = home.arrived()
    assert sorted(home.stats()["deleted"]) == (sorted([created, export_id]) if is_asked else [])


def test_no_secret_is_in_the_archive_or_the_ledger(home: Home, tmp_path: Path) -> None:
    home.faults(file=["503"], get=["429"], download=["503"])
    home.settle({"scan": "2023-11-10"})
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not [secret for secret in home.secrets if secret.encode() in kept]
