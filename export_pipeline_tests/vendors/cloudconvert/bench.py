"""CloudConvert connected to its sandbox, with a ledger of its own."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from export_pipeline.ledger.rows import Artifact, Order
from export_pipeline.sandbox import Sandbox, SteppedClock
from export_pipeline.vendors.cloudconvert.artifacts import ONE, SEVERAL, UNKNOWN
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.vendors.placement import Placement
from export_pipeline_tests.vendors import rows
from export_pipeline_tests.vendors.bench import NOWHERE, SandboxBench

UNKNOWN_JOB = "6559c281-ed85-4728-80db-414561c631e9"
DAY_SECONDS = 24 * 3600
WORK_SECONDS = 30
TASK_SECONDS = 0.02
GIVE_UP_SECONDS = 60.0


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


class CloudConvertBench(SandboxBench[CloudConvert]):
    make = CloudConvert
    environment = environment

    def __init__(self, home: Path, sandbox: Sandbox, clock: SteppedClock) -> None:
        super().__init__(home, sandbox, clock)
        self.jobs: dict[str, str] = {}
        self.scans = (self.made(["a.txt", "b.txt"]), self.made(["c.txt"]))

    @property
    def key(self) -> str:
        return str(self.addresses["cloudconvert_key"])

    @property
    def secrets(self) -> Sequence[str]:
        return (self.key, self.addresses["cloudconvert_webhook_secret"], "temp_url_sig")

    def made(self, names: Sequence[str], **spec: Any) -> str:
        """The id of a finished job of the team's with files of these names."""
        files = [{"filename": name, "text": f"the text of {name}"} for name in names]
        return str(self.made_jobs({"files": files, **spec})[0]["id"])

    def made_jobs(self, *specs: dict[str, Any]) -> list[dict[str, Any]]:
        """Finished jobs of the team's, with the ids of their tasks."""
        made: list[dict[str, Any]] = self.control("POST", "/jobs", list(specs)).json()["jobs"]
        self.jobs |= {task: job["id"] for job in made for task in job["tasks"]}
        return made

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
        """Each export of ours, with the scan whose order made it: of several files, or of one."""
        names = dict(zip(self.scans, (SEVERAL, ONE), strict=True))
        exports = [one for one in self.stats()["created"] if "operation" in one]
        made = [(self.jobs[one["input"][0]], one["id"]) for one in exports]
        return [(job, f"{names[job]}:{task}") for job, task in made]

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

    def calls(self) -> int:
        """How many calls of its API were made."""
        return sum(n for name, n in self.stats()["calls"].items() if name != "file")

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call as any other client makes it."""
        return self.request(method, self.addresses["cloudconvert"] + path, self.key, body)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that happens by itself; fail after a long time."""
        end = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.01)
