"""A thousand open tasks, watched by the workflow within the vendor's documented limits."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.ledger import orders
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import OrderState
from export_pipeline.sandbox import Sandbox, SandboxOptions
from export_pipeline.sandbox.laserfiche import EntrySpec, LaserficheOptions
from export_pipeline.storage.local import LocalStore
from export_pipeline.vendors.laserfiche.exports import Laserfiche
from export_pipeline.vendors.laserfiche.importing import read_line
from export_pipeline.workflow.poll import poll
from export_pipeline_tests.vendors.home import Home
from export_pipeline_tests.vendors.laserfiche.bench import LARGE, LaserficheBench

OPEN = 1_000
SPEED = 20.0
"""Vendor's seconds in one of ours."""
GIVE_UP_SECONDS = 900.0
ENDS_AFTER_SECONDS = 100.0
NEVER_SECONDS = 1e6
TICK_SECONDS = 0.005


class FastClock:
    """Runs as fast as it is told; at first as the machine's."""

    def __init__(self) -> None:
        self._base, self._began, self._speed = 1_700_000_000.0, time.monotonic(), 1.0

    def now(self) -> float:
        return self._base + (time.monotonic() - self._began) * self._speed

    def run(self, speed: float) -> None:
        self._base, self._began, self._speed = self.now(), time.monotonic(), speed

    async def sleep(self, seconds: float) -> None:
        end = self.now() + seconds
        while self.now() < end:  # noqa: ASYNC110  the speed may change meanwhile
            await asyncio.sleep(TICK_SECONDS)


class Watch(LaserficheBench, Home[Laserfiche]):
    """Sleeps as its clock runs."""

    read_line = read_line
    clock: FastClock

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    def watched(self, tasks: list[str]) -> None:
        """Have orders that wait for these tasks."""
        lines = [{"scan": 1_000 + number, "part": "Image"} for number in range(len(tasks))]
        scans = self.register(*lines)
        keeping = self.vendor._served["default"].keeping

        async def keep() -> None:
            token = self.token
            assert token is not None
            ids = [self.look(orders.of_scan, scan.id)[0].id for scan in scans]
            await asyncio.gather(*(keeping.keep_token(one, token) for one in ids))
            with self.ledger.write() as tx:
                for order, task in zip(ids, tasks, strict=True):
                    orders.accepted(
                        tx, order, request_id=None, vendor_order=task, look_after=tx.now
                    )

        asyncio.run(keep())


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    clock = FastClock()
    options = SandboxOptions(laserfiche=LaserficheOptions(pace="fast"))
    with Sandbox(options, clock) as sandbox, Watch(tmp_path, sandbox, clock) as made:
        made.store = LocalStore(tmp_path / "archive")
        yield made


def test_a_thousand_open_tasks_are_watched_with_at_most_100_calls_a_minute(watch: Watch) -> None:
    """Those that end are heard of, whichever of the thousand they are, and no call is refused."""
    endless = EntrySpec("x", id=101, pages=LARGE, work_seconds=NEVER_SECONDS)
    ending = EntrySpec("x", id=102, pages=LARGE, work_seconds=ENDS_AFTER_SECONDS)
    watch.add(endless, ending)
    asyncio.run(_log_in(watch))
    tasks = [watch.start("101") for _ in range(OPEN)]
    late = [watch.start("102") for _ in range(0, OPEN, 100)]
    tasks[50::100] = late
    watch.watched(tasks)
    watch.options(pace="documented")
    watch.vendor = watch.make_vendor(
        EXPORT_LASERFICHE_CALLS_PER_MINUTE="100", EXPORT_LASERFICHE_EXPORTS_PER_MINUTE="30"
    )
    watch.clock.run(SPEED)
    began = watch.clock.now()
    assert asyncio.run(_poll(watch, len(late))) == len(late)
    told = watch.stats()
    assert told["limited"] == {}
    assert told["calls"]["tasks"] <= 100 * (watch.clock.now() - began) / 60
    assert told["most_tasks_asked"] <= 100


async def _log_in(watch: Watch) -> None:
    await watch.vendor.prepare("default")
    await watch.close()


async def _poll(watch: Watch, awaited: int) -> int:
    stop = asyncio.Event()
    looking = asyncio.create_task(_stop_after(watch, awaited, stop))
    ended = await poll(watch.pipeline, seconds=GIVE_UP_SECONDS, stop=stop)
    looking.cancel()
    await watch.close()
    return ended


async def _stop_after(watch: Watch, awaited: int, stop: asyncio.Event) -> None:
    while await watch.ledger.look(_count_completed) < awaited:
        await watch.sleep(1)
    stop.set()


def _count_completed(tx: Tx) -> int:
    return orders.count_by_state(tx).get(OrderState.COMPLETED, 0)
