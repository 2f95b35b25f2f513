"""A day of sending in virtual time: the clock is stepped whenever nobody does anything."""

import asyncio
import heapq
import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from export_pipeline.ledger import registry
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import QueueClass
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.sandbox import Sandbox, SandboxOptions, ScanSpec, SteppedClock
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.storage.local import LocalStore
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.vendors.http import make_client
from export_pipeline.workflow.order import request
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.reconcile import find_stuck
from export_pipeline.workflow.send import drain

EXPORTS_PER_MINUTE = 10
SENDERS = 2
TIME_BOX_SECONDS = 900.0
"""A sender ends by itself after this long, as a run of the op job does."""
RECONCILE_SECONDS = 60.0
KILLS_PER_HOUR = 6
KILLS_IN_MID_SEND = 0.5
"""Share of the kills that come after the vendor took the order and before we know."""
LATE_SECONDS = 0.1
"""Whoever sleeps wakes up to this much late, as on a busy machine."""
SCANS_PER_TRANSACTION = 500
TURNS_TO_BE_QUIET = 5
"""Passes of the event loop after which whatever was woken has begun something that counts."""
MEMORY = Path("/dev/shm")
"""Syncing to a disk takes real time that the virtual day does not have."""


class Work:
    """Counts what is under way in real time: calls and transactions."""

    def __init__(self) -> None:
        self._count = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    def __enter__(self) -> None:
        self._count += 1
        self._quiet.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._quiet.set()

    async def is_done(self) -> None:
        """Wait until nothing is under way, and nothing is about to be."""
        quiet = 0
        while quiet < TURNS_TO_BE_QUIET:
            await self._quiet.wait()
            await asyncio.sleep(0)
            quiet = quiet + 1 if self._count == 0 else 0


def watch_threads(loop: asyncio.AbstractEventLoop, work: Work) -> None:
    """Count what the loop has threads do, until the task that waits for it goes on."""
    run = loop.run_in_executor

    def counted(*args: Any) -> asyncio.Future[Any]:
        work.__enter__()
        future = run(*args)
        future.add_done_callback(lambda _: work.__exit__())
        return future

    loop.run_in_executor = counted  # type: ignore[assignment]


class WatchedLedger(Ledger):
    """A handle whose writing transactions are counted; the others are work of threads."""

    def __init__(self, url: str, clock: SteppedClock, work: Work) -> None:
        super().__init__(url, lambda _: clock.now())
        self._work = work

    async def apply(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As it is."""
        with self._work:
            return await super().apply(work, *args, **kwargs)


class WatchedTransport(httpx.AsyncHTTPTransport):
    """Calls are counted; once doomed, an export's answer never arrives."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work
        self.is_doomed = False
        self.was_cut = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As it is."""
        with self._work:
            answer = await super().handle_async_request(request)
            await answer.aread()
        if self.is_doomed and "/export/" in request.url.path:
            self.was_cut.set()
            await asyncio.Event().wait()
        return answer


class Day:
    """Everything that lives on one stepped clock."""

    def __init__(self, home: Path, sandbox: Sandbox, clock: SteppedClock, seed: int) -> None:
        self._clock = clock
        self._sandbox = sandbox
        self._settings = Settings.from_env(_environment(sandbox), home)
        self._store = LocalStore(home / "archive")
        self._work = Work()
        self._wakes: list[float] = []
        self._random = random.Random(seed)
        self.kills = 0

    def fill(self, count: int) -> None:
        """Make scans at the vendor and queue one order of each."""
        traits = ("never_delivers", "no_completion")
        specs = [ScanSpec(f"scan-{number:06}", 0, ("overview",), traits) for number in range(count)]
        url = f"{self._sandbox.addresses['copyleaks_control']}/scans"
        httpx.post(url, json=[spec.to_json() for spec in specs], timeout=120).raise_for_status()
        ledger = make_ledger(self._settings.ledger_url, lambda _: self._clock.now())
        vendor = Copyleaks(self._settings, ledger)
        for start in range(0, count, SCANS_PER_TRANSACTION):
            with ledger.write() as tx:
                for spec in specs[start : start + SCANS_PER_TRANSACTION]:
                    _queue(tx, vendor, spec.id)
        ledger.close()

    async def run(self, seconds: float) -> None:
        """Step through the time, with senders that are killed and started again."""
        watch_threads(asyncio.get_running_loop(), self._work)
        end = self._clock.now() + seconds
        places = [asyncio.create_task(self._place(end)) for _ in range(SENDERS)]
        places.append(asyncio.create_task(self._reconcile()))
        while self._clock.now() < end:
            await self._work.is_done()
            for place in places:
                if place.done():
                    place.result()
            wake = heapq.heappop(self._wakes)
            self._clock.advance(max(0.0, wake - self._clock.now()))
        for place in places:
            place.cancel()
        await asyncio.gather(*places, return_exceptions=True)

    async def _sleep(self, seconds: float) -> None:
        seconds += self._random.uniform(0, LATE_SECONDS)
        heapq.heappush(self._wakes, self._clock.now() + seconds)
        await self._clock.sleep(seconds)

    async def _place(self, end: float) -> None:
        """One process after the other, most of them killed."""
        while self._clock.now() < end:
            transport = WatchedTransport(self._work)
            ledger = WatchedLedger(self._settings.ledger_url, self._clock, self._work)
            vendor = Copyleaks(
                self._settings,
                ledger,
                http=partial(make_client, transport),
                clock=self._clock.now,
                sleep=self._sleep,
            )
            addresses = Addresses("http://127.0.0.1:9", ("no secret",))
            pipeline = Pipeline(
                self._settings, ledger, self._store, vendor, addresses, sleep=self._sleep
            )
            try:
                await self._live(pipeline, transport)
            finally:
                await vendor.aclose()
                ledger.close()

    async def _live(self, pipeline: Pipeline, transport: WatchedTransport) -> None:
        sender = asyncio.create_task(drain(pipeline, seconds=TIME_BOX_SECONDS))
        killer = asyncio.create_task(self._kill(sender, transport))
        try:
            with suppress(asyncio.CancelledError):
                await sender
        finally:
            for task in (killer, sender):
                task.cancel()
            await asyncio.gather(killer, sender, return_exceptions=True)

    async def _kill(self, sender: asyncio.Task[int], transport: WatchedTransport) -> None:
        await self._sleep(self._random.expovariate(KILLS_PER_HOUR / SENDERS / 3600))
        if self._random.random() < KILLS_IN_MID_SEND:
            transport.is_doomed = True
            await transport.was_cut.wait()
        self.kills += 1
        sender.cancel()

    async def _reconcile(self) -> None:
        ledger = WatchedLedger(self._settings.ledger_url, self._clock, self._work)
        vendor = Copyleaks(self._settings, ledger)
        try:
            while True:
                await ledger.apply(find_stuck, vendor)
                await self._sleep(RECONCILE_SECONDS)
        finally:
            ledger.close()


def _queue(tx: Tx, vendor: Copyleaks, scan_id: str) -> None:
    scan, _ = registry.register(tx, ScanKey("copyleaks", "default", scan_id), source="import")
    request(tx, vendor, scan, queue_class=QueueClass.BACKLOG, kinds=["overview"], wants_bag=False)


def _environment(sandbox: Sandbox) -> dict[str, str]:
    a_year = str(365 * 86_400)
    return {
        "EXPORT_RECEIVER_SECRET": "no secret",
        "EXPORT_COPYLEAKS_API_URL": sandbox.addresses["copyleaks_api"],
        "EXPORT_COPYLEAKS_LOGIN_URL": sandbox.addresses["copyleaks_identity"],
        "EXPORT_COPYLEAKS_EMAIL": sandbox.addresses["copyleaks_email"],
        "EXPORT_COPYLEAKS_KEY": sandbox.addresses["copyleaks_key"],
        "EXPORT_ORDER_PATIENCE": a_year,
        "EXPORT_ORDER_DEADLINE": a_year,
    }


def spend(hours: float, seed: int) -> dict[str, Any]:
    """Live through `hours`, and return what the vendor saw."""
    clock = SteppedClock()
    possible = int(EXPORTS_PER_MINUTE * 60 * hours)
    memory = MEMORY if MEMORY.is_dir() else None
    with (
        TemporaryDirectory(prefix="export-benchmark-", dir=memory) as folder,
        Sandbox(SandboxOptions(), clock) as sandbox,
    ):
        kills, stats = asyncio.run(_spend(Path(folder), sandbox, clock, seed, possible, hours))
    used = stats["exports_accepted"] + stats["exports_refused"]
    return {
        "hours": hours,
        "senders": SENDERS,
        "kills": kills,
        "possible": possible,
        "used": used,
        "repeats": stats["exports_refused"],
        "share": used / possible,
        "refused_429": sum(stats["limited"].values()),
    }


async def _spend(
    folder: Path, sandbox: Sandbox, clock: SteppedClock, seed: int, possible: int, hours: float
) -> tuple[int, dict[str, Any]]:
    day = Day(folder, sandbox, clock, seed)
    day.fill(possible)
    await day.run(hours * 3600)
    return day.kills, sandbox.stats()
