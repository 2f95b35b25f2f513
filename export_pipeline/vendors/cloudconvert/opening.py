"""Opening the files of a job: its URLs are asked for once for all files that are read together."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from export_pipeline.errors import ResultLost, VendorUnavailable
from export_pipeline.ledger import artifacts
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import Order
from export_pipeline.storage.http import Http
from export_pipeline.vendors.cloudconvert.artifacts import brings_one, exported, matched
from export_pipeline.vendors.cloudconvert.client import CloudConvertClient
from export_pipeline.vendors.cloudconvert.models import ERROR, File, Job, place_of
from export_pipeline.vendors.cloudconvert.results import cause
from export_pipeline.vendors.http import Call
from export_pipeline.vendors.pacing import Sleep
from export_pipeline.vendors.pulling import pulled
from export_pipeline.vendors.redaction import redact
from export_pipeline.vendors.vendor import Opened

JOB_SECONDS = 60.0
"""How long a job is taken to be as it was read: one reading serves all its files."""


class Opening:
    """Opens what the jobs of one account exported.

    Args:
        client: its API.
        ledger: tells which files an order brings.
        files: reads from the file host, without a credential.
        clock: seconds since the epoch.
        sleep: waits for the seconds it is given.
    """

    def __init__(
        self,
        client: CloudConvertClient,
        ledger: Ledger,
        files: Http,
        clock: Callable[[], float],
        sleep: Sleep,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._files = files
        self._clock = clock
        self._sleep = sleep
        self._jobs: dict[str, tuple[float, Job]] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def open(self, order: Order, name: str) -> AsyncIterator[Opened]:
        """Stream one file of an order's job.

        Raises:
            ResultLost: it, or all that the job made, is gone at the vendor.
            VendorError: see errors.py.
        """
        what, its_id, _ = place_of(order.vendor_order or "")
        call = self._client.call(f"the file {name} of {what.removesuffix('s')} {its_id}")
        first = await self._file(call, order, name)
        given: list[str] = []

        async def locate() -> str:
            file = first if not given else await self._file(call, order, name, anew=True)
            url = file.url or ""
            if url in given:
                raise call.error(
                    ResultLost, f"its URL is dead before its time; {call.what_to_do(ResultLost)}"
                )
            given.append(url)
            return url

        async with pulled(call, self._files, locate, size=first.size, sleep=self._sleep) as found:
            media_type = found.headers.get("content-type", "")
            facts = {"content_type": media_type} if media_type else {}
            yield Opened(found.chunks, first.path, facts)

    async def _file(self, call: Call, order: Order, name: str, *, anew: bool = False) -> File:
        job = await self._job(call, order.vendor_order or "", anew=anew)
        if not job.is_over:
            raise call.error(
                VendorUnavailable, f"it is {job.status}; {call.what_to_do(VendorUnavailable)}"
            )
        file = await self._find(job, order, name)
        if file is None:
            is_failed = job.status == ERROR
            why = redact(cause(job)) if is_failed else "there is no URL of it (any more)"
            raise call.error(ResultLost, f"{why}; {call.what_to_do(ResultLost)}")
        return file

    async def _find(self, job: Job, order: Order, name: str) -> File | None:
        files = exported(job)
        if name in files:
            return files[name]
        if brings_one(job):
            ordered = await self._ledger.look(artifacts.of_order, order.id)
            return next(iter(files.values()), None) if len(ordered) == 1 else None
        of_generation = (order.scan_id, order.generation)
        wanted = await self._ledger.look(artifacts.of_generation, *of_generation)
        return matched(files, {one.name: one.vendor_name for one in wanted}).get(name)

    async def _job(self, call: Call, job_id: str, *, anew: bool) -> Job:
        lock = self._locks.get(job_id) or asyncio.Lock()
        self._locks[job_id] = lock
        async with lock:
            now = self._clock()
            read_at, job = self._jobs.get(job_id, (0.0, None))
            if job is not None and not anew and 0 <= now - read_at <= JOB_SECONDS:
                return job
            job = await self._client.made(call, job_id, missing=ResultLost)
            recent = {k: one for k, one in self._jobs.items() if 0 <= now - one[0] <= JOB_SECONDS}
            self._jobs = {**recent, job_id: (now, job)}
        return job
