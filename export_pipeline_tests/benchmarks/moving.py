"""Moving files from links into a SeaweedFS, by us or by rclone, and what each move cost."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil  # type: ignore[import-untyped]

from export_pipeline.demo.seaweedfs import require_weed
from export_pipeline.storage.open import open_store
from export_pipeline_tests.benchmarks import file_host, pulling
from export_pipeline_tests.benchmarks.processes import Process
from export_pipeline_tests.benchmarks.rclone import Cost, Rclone
from export_pipeline_tests.servers.seaweedfs import SeaweedFS, running_seaweedfs

OURS, PEER = "ours", "rclone"
SMALL_BYTES = 50_000


@dataclass(frozen=True)
class Load:
    """Files to move.

    Args:
        size: of each in bytes.
        at_once: how many of them, for both.
        target: our speed over rclone's.
    """

    name: str
    files: int
    size: int
    at_once: int
    target: float

    @property
    def gigabytes(self) -> float:
        """All of it."""
        return self.files * self.size / 1e9

    def shrunk(self, share: float) -> "Load":
        """Fewer files where they are small, else smaller ones."""
        if self.size == SMALL_BYTES:
            return replace(self, files=round(self.files * share))
        return replace(self, size=round(self.size * share))


@dataclass(frozen=True)
class Run:
    """One move of a load; CPU seconds of the client and of the store."""

    seconds: float
    client_cpu: float
    store_cpu: float
    memory_mb: float = 0.0


class Bench:
    """A host of files, a SeaweedFS, and a new folder of its bucket for every run."""

    def __init__(self, folder: Path, host: str, server: SeaweedFS) -> None:
        self._folder = folder
        self._host = host
        self._server = server
        self._weed = psutil.Process(server.pid)
        self._bucket = server.new_bucket()
        self._runs = 0
        self._rclone = Rclone(server.variables())

    def run(self, side: str, load: Load) -> Run:
        """Move a load, and refuse the figures of a run that did not move everything."""
        self._runs += 1
        store = f"s3://{self._bucket}/run-{self._runs}"
        links = {
            f"{number:05}": file_host.url_of(self._host, load.size, f"{number}")
            for number in range(load.files)
        }
        before = self._store_cpu()
        done = (self._ours if side == OURS else self._theirs)(store, links, load)
        done = replace(done, store_cpu=self._store_cpu() - before)
        asyncio.run(self._require_all(store, load))
        return done

    def _ours(self, store: str, links: Mapping[str, str], load: Load) -> Run:
        job, log = self._folder / "job.json", self._folder / "log.txt"
        told: pulling.Job = {
            "store": store,
            "variables": self._server.variables(),
            "links": links,
            "at_once": load.at_once,
        }
        job.write_text(json.dumps(told))
        with Process([pulling.__name__, str(job)], {}, self._folder, log) as process:
            process.finish()
            pulled: pulling.Pulled = json.loads(process.first_line())
        if pulled["sha256"] != dict.fromkeys(links, file_host.sha256_of(load.size)):
            raise RuntimeError("other bytes came than the host has")
        return Run(pulled["seconds"], pulled["cpu_seconds"], 0.0, pulled["memory_mb"])

    def _theirs(self, store: str, links: Mapping[str, str], load: Load) -> Run:
        used = self._rclone.copy(store, links, self._folder / "links.csv", load.at_once)
        start: Cost = self._rclone.start
        return Run(used.seconds - start.seconds, used.cpu_seconds - start.cpu_seconds, 0.0)

    async def _require_all(self, url: str, load: Load) -> None:
        store = open_store(url, self._server.variables())
        found = [one async for one in store.list()]
        if [one.size for one in found] != [load.size] * load.files:
            raise RuntimeError(f"{len(found)} of {load.files} files are there as they should be")
        if load.size > SMALL_BYTES:
            for one in found:
                await store.delete(one.key)

    def _store_cpu(self) -> float:
        used = self._weed.cpu_times()
        return float(used.user + used.system)


@contextmanager
def bench() -> Iterator[Bench]:
    """Start everything."""
    with (
        TemporaryDirectory(prefix="export-benchmark-") as name,
        running_seaweedfs(require_weed()) as server,
    ):
        folder = Path(name)
        with Process([file_host.__name__], {}, folder, folder / "host.txt") as host:
            yield Bench(folder, host.first_line(), server)
