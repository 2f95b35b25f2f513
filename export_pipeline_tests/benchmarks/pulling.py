"""Links pulled into a store as the workflow does it, in a process that measures itself."""

import json
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import TypedDict

from export_pipeline.concurrency import concurrently, run_batch
from export_pipeline.storage.hashing import HashingStream
from export_pipeline.storage.http import Http
from export_pipeline.storage.open import open_store
from export_pipeline.storage.store import Store
from export_pipeline.transfer.pull import pull


class Job(TypedDict):
    """What to pull: a link for each key, so many at once."""

    store: str
    variables: Mapping[str, str]
    links: Mapping[str, str]
    at_once: int


class Pulled(TypedDict):
    """What it took.

    Args:
        seconds: from the first request to the last answer.
        cpu_seconds: in that time.
        memory_mb: how far the process's memory grew in that time, at its peak.
        sha256: of each key, taken on the way.
    """

    seconds: float
    cpu_seconds: float
    memory_mb: float
    sha256: dict[str, str]


async def pull_all(store: Store, job: Job) -> dict[str, str]:
    """Pull every link; return the sha256 of each key."""
    http = Http()

    async def one(key: str) -> tuple[str, str]:
        async def locate() -> str:
            return job["links"][key]

        async with pull(http, locate) as pulled:
            stream = HashingStream(pulled.chunks)
            await store.put(key, stream)
        return key, stream.sha256

    return dict([done async for done in concurrently(one, _each(job["links"]), job["at_once"])])


async def _each(keys: Iterable[str]) -> AsyncIterator[str]:
    for key in keys:
        yield key


def _memory_mb(field: str) -> float:
    """`VmRSS`, what the process holds now, or `VmHWM`, the most that it ever held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(kilobytes) * 1024 / 1e6


def _main(job: Job) -> Pulled:
    store = open_store(job["store"], job["variables"])
    memory, cpu, began = _memory_mb("VmRSS"), time.process_time(), time.perf_counter()
    found = run_batch(pull_all(store, job))
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "memory_mb": _memory_mb("VmHWM") - memory,
        "sha256": found,
    }


if __name__ == "__main__":
    print(json.dumps(_main(json.loads(Path(sys.argv[1]).read_text()))))
