"""CloudConvert connected to its sandbox, with a ledger of its own."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from export_pipeline.ledger.database import sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import Artifact, Order
from export_pipeline.sandbox import Sandbox, SteppedClock
from export_pipeline.settings import Settings
from export_pipeline.storage.store import UploadTarget
from export_pipeline.vendors.cloudconvert.artifacts import UNKNOWN
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.vendors.cloudconvert.tags import order_of
from export_pipeline.vendors.http import make_client
from export_pipeline.vendors.vendor import Placement
from export_pipeline_tests.vendors import rows
from export_pipeline_tests.vendors.transport import Interposed, Planned

UNKNOWN_JOB = "6559c281-ed85-4728-80db-414561c631e9"
DAY_SECONDS = 24 * 3600
WORK_SECONDS = 30
TASK_SECONDS = 0.02
GIVE_UP_SECONDS = 20.0
NOWHERE = UploadTarget("POST", "http://127.0.0.1:9/completed")


def environment(sandbox: Sandbox) -> dict[str, str]:
    addresses = sandbox.addresses
    return {
        "EXPORT_CLOUDCONVERT_API_URL": addresses["cloudconvert"],
        "EXPORT_CLOUDCONVERT_SYNC_URL": addresses["cloudconvert_sync"],
        "EXPORT_CLOUDCONVERT_KEY": addresses["cloudconvert_key"],
        "EXPORT_CLOUDCONVERT_WEBHOOK_SECRET": addresses["cloudconvert_webhook_secret"],
        "EXPORT_CLOUDCONVERT_JOB_WEBHOOKS": "false",
        "EXPORT_CLOUDCONVERT_REQUESTS_PER_MINUTE": "120000",
    }


async def _hurry(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.01))


class CloudConvertBench:
    def __init__(self, home: Path, sandbox: Sandbox, clock: SteppedClock) -> None:
        self.planned: deque[Planned] = deque()
        self.sandbox = sandbox
        self.clock = clock
        self.settings = Settings.from_env(environment(sandbox), home)
        self.ledger = make_ledger(sqlite_url(home))
        self.vendor = self.make_vendor()
        self.scans = (self.made(["a.txt", "b.txt"]), self.made(["c.txt"]))

    def make_vendor(self, **variables: str) -> CloudConvert:
        """The vendor with variables beside those of the sandbox."""
        given = {**self.settings.vendor_variables, **variables}
        settings = self.settings.model_copy(update={"vendor_variables": given})
        return CloudConvert(
            settings, self.ledger, http=self._http, clock=self.clock.now, sleep=_hurry
        )

    @property
    def key(self) -> str:
        return str(self.sandbox.addresses["cloudconvert_key"])

    @property
    def secrets(self) -> Sequence[str]:
        return (self.key, self.sandbox.addresses["cloudconvert_webhook_secret"], "temp_url_sig")

    def made(self, names: Sequence[str], **spec: Any) -> str:
        """The id of a finished job of the team's with files of these names."""
        files = [{"filename": name, "text": f"the text of {name}"} for name in names]
        return str(self.made_jobs({"files": files, **spec})[0]["id"])

    def made_jobs(self, *specs: dict[str, Any]) -> list[dict[str, Any]]:
        """Finished jobs of the team's, with the ids of their tasks."""
        return list(self.control("POST", "/jobs", list(specs)).json()["jobs"])

    def placement(self, scan_id: str = "", *, at_vendor: bool = True, **details: Any) -> Placement:
        scan_id = scan_id or self.scans[0]
        assert at_vendor or scan_id not in self.scans
        return Placement(
            rows.order("cloudconvert", scan_id, queued_at=self.clock.now()),
            rows.scan("cloudconvert", scan_id, **details),
            {},
            {UNKNOWN.name: ""},
            {UNKNOWN.name: UNKNOWN.kind},
            NOWHERE,
        )

    def lacking(self) -> Placement:
        return self.placement(UNKNOWN_JOB, at_vendor=False)

    def failing(self) -> Placement:
        self.faults(export=["fails"] * 2)
        return self.placement()

    def unending(self) -> Placement:
        self.stuck += 2  # the task, and whatever waits for the end of its job
        self.faults(export=["never_ends"])
        return self.placement(self.scans[1])

    def arrived(self) -> list[tuple[str, str]]:
        """Each job of ours, with the scan whose order made it."""
        orders = {rows.order("cloudconvert", one).id: one for one in self.scans}
        created = self.stats()["created"]
        ours = [(order_of(one.get("tag")), one["id"]) for one in created]
        return [(orders[order], job) for order, job in ours if order in orders]

    def lose_answer(self) -> None:
        self.faults(create=["drop"])

    def end(self) -> None:
        self.clock.advance(WORK_SECONDS)
        self.until(self._is_idle)

    stuck = 0
    """Background work that never ends."""

    def _is_idle(self) -> bool:
        self.clock.advance(TASK_SECONDS)  # each task of a job begins when another has ended
        return bool(self.stats()["working"] <= self.stuck)

    def expire(self) -> None:
        self.clock.advance(DAY_SECONDS + WORK_SECONDS)

    def break_file(self) -> None:
        self.faults(file=["cut"])

    def kill_links(self) -> None:
        self.faults(file=["dead"])

    def whole_file(self, order: Order, file: Artifact) -> bytes:
        return f"the text of {file.name.removeprefix('files/')}".encode()

    def faults(self, **faults: list[str]) -> None:
        self.control("POST", "/faults", faults)

    def options(self, **changes: Any) -> None:
        self.control("POST", "/options", changes)

    def stats(self) -> dict[str, Any]:
        return self.sandbox.stats("cloudconvert")

    def calls(self) -> int:
        """How many calls of its API were made."""
        return sum(n for name, n in self.stats()["calls"].items() if name != "file")

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call as any other client makes it."""
        url = self.sandbox.addresses["cloudconvert"] + path
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.request(method, url, json=body, headers=headers, trust_env=False)

    def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        url = self.sandbox.addresses["cloudconvert_control"] + path
        answer = httpx.request(method, url, json=body, trust_env=False)
        assert answer.is_success, answer.text
        return answer

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that happens by itself; fail after a long time."""
        end = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.01)

    async def close(self) -> None:
        await self.vendor.aclose()

    def _http(self) -> httpx.AsyncClient:
        return make_client(Interposed(self.planned))


def again(placement: Placement, **changes: Any) -> Placement:
    """The placement with another order, e.g. of another attempt."""
    return replace(placement, order=replace(placement.order, **changes))
