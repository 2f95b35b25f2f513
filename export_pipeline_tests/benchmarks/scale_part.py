"""One thing that is done at some size, in a process of its own: its seconds and its memory."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from export_pipeline.archive.catalog import write_catalog
from export_pipeline.concurrency import run_batch
from export_pipeline.ledger import admission, audits, retention, summary
from export_pipeline.ledger.database import Ledger, Tx, sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import QueueClass, ScanState
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.settings import Settings
from export_pipeline.storage.local import LocalStore
from export_pipeline.vendors.open import open_vendors
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow import turn
from export_pipeline.workflow.alerting.causes import read_causes
from export_pipeline.workflow.fetch import Wanted
from export_pipeline.workflow.history import find_named, read_history
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.rebuilding.rebuild import rebuild
from export_pipeline.workflow.register import queue_registered
from export_pipeline.workflow.reporting.figures import read_figures
from export_pipeline.workflow.status import read_status
from export_pipeline_tests.benchmarks.filled import ACCOUNT, VENDOR

ARCHIVE = "archive"
"""The store, below a home."""
REBUILD = "catalog rebuild"
CALLS = 5
LONG_SECONDS = 2.0
"""What takes longer is measured once."""
AUDITED = 1_000
QUEUED = 10
LISTED = 101
SECRET = "a-secret-for-benchmarks-only"
T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """What the parts work on."""

    settings: Settings
    ledger: Ledger
    store: LocalStore
    vendors: Mapping[str, Vendor]

    @property
    def pipeline(self) -> Pipeline:
        """The vendor's, as the sender has it."""
        addresses = Addresses("http://127.0.0.1:1", (SECRET,))
        return Pipeline(self.settings, self.ledger, self.store, self.vendors[VENDOR], addresses)

    def read(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Read from the ledger."""
        with self.ledger.read() as tx:
            return work(tx, *args, **kwargs)

    def undo(self, work: Callable[[Tx], object]) -> None:
        """Change the ledger, and take it back: each call finds what the one before did."""
        try:
            with self.ledger.write() as tx:
                work(tx)
                raise _UndoneError
        except _UndoneError:
            pass


class _UndoneError(Exception):
    """Ends a transaction without its changes."""


def environment_of(home: Path) -> dict[str, str]:
    """That of a home with one account, by default limits; nothing of it is ever called."""
    return {
        "EXPORT_PIPELINE_HOME": str(home),
        "EXPORT_RECEIVER_SECRET": SECRET,
        "EXPORT_COPYLEAKS_EMAIL": "nobody@example.com",
        "EXPORT_COPYLEAKS_KEY": "none",
    }


def _catalog(place: Place) -> None:
    asyncio.run(write_catalog(place.ledger, place.store, datetime.now(UTC), uuid4().hex))


def _rebuild(place: Place) -> None:
    """Into a new ledger, by the tag files of the bags beside this one."""

    async def bags(ledger: Ledger) -> int:
        steps = rebuild(ledger, place.store, place.vendors, tombstone_secret=None)
        return [done.added async for done in steps][-1]

    with TemporaryDirectory(dir=place.settings.home) as folder:
        ledger = make_ledger(sqlite_url(Path(folder)))
        assert run_batch(bags(ledger)), "no bag was found"
        ledger.close()


def _claim(place: Place) -> None:
    def claim(tx: Tx) -> None:
        turn.next_wait(tx, place.pipeline, ACCOUNT)
        claimed = turn.claim(tx, place.pipeline, ACCOUNT)
        assert turn.take(tx, place.pipeline, ACCOUNT, claimed), "nothing is queued"

    place.undo(claim)


def _admit(place: Place) -> None:
    def admit(tx: Tx) -> None:
        active = admission.count_active(tx, VENDOR)
        assert admission.admit(tx, VENDOR, active_limit=active + 5_000, chunk=5_000)

    place.undo(admit)


def _queue(place: Place) -> None:
    def queue(tx: Tx) -> None:
        assert queue_registered(tx, place.vendors[VENDOR], QueueClass.NIGHTLY, QUEUED)

    place.undo(queue)


def _due(tx: Tx) -> None:
    size = audits.size(tx)
    assert audits.oldest(tx, before=size.at, limit=AUDITED)


def _show(tx: Tx) -> None:
    assert read_history(tx, find_named(tx, "essay-00000100")).events


def _fetched(place: Place) -> None:
    async def count() -> int:
        return len([bag async for bag in Wanted(place.ledger, place.store).every()])

    assert asyncio.run(count())


def _retained(tx: Tx) -> None:
    after, due = 0, 0
    while page := retention.due(tx, VENDOR, days=1, after=after, limit=100):
        after, due = page[-1].scan.id, due + len(page)
    assert due


PARTS: Mapping[str, Callable[[Place], object]] = {
    "catalog, written": _catalog,
    REBUILD: _rebuild,
    "status": lambda place: place.read(read_status, place.vendors),
    "report's figures": lambda place: place.read(read_figures, place.vendors),
    "causes of alerts": lambda place: place.read(read_causes, place.vendors, 7_200.0),
    "due for audit, 1,000": lambda place: place.read(_due),
    "retention, its list": lambda place: place.read(_retained),
    "queueing of 10": _queue,
    "claim of the sender": _claim,
    "admission of 5,000": _admit,
    "scans list": lambda place: place.read(summary.find_scans, limit=LISTED),
    "scans list --state failed": lambda place: place.read(
        summary.find_scans, states=[ScanState.FAILED], limit=LISTED
    ),
    "scans show": lambda place: place.read(_show),
    "fetch --all, its list": _fetched,
}


class Cost(NamedTuple):
    """What a call took: of the clock on the wall, and of the processor."""

    seconds: float
    cpu_seconds: float


def measure(call: Callable[[], object]) -> Cost:
    """Take the median of some calls, or one that takes long."""
    taken: list[Cost] = []
    while len(taken) < CALLS and sum(one.seconds for one in taken) < LONG_SECONDS:
        taken.append(measure_once(call))
    return sorted(taken)[len(taken) // 2]


def measure_once(call: Callable[[], object]) -> Cost:
    """Take one call."""
    began, cpu_before = perf_counter(), process_time()
    call()
    return Cost(perf_counter() - began, process_time() - cpu_before)


def tell(cost: Cost) -> None:
    """Print what was measured, with the process's own high-water mark."""
    mark = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    print(json.dumps({**cost._asdict(), "peak_mb": int(mark) / 1024}))


def _main(home: Path, name: str) -> None:
    settings = Settings.from_env(environment_of(home))
    ledger = Ledger(settings.ledger_url)
    store = LocalStore(home / ARCHIVE)
    place = Place(settings, ledger, store, open_vendors(settings, ledger))
    tell(measure(lambda: PARTS[name](place)))
    ledger.close()


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
