"""A `forget` that is killed at any step: the same command goes on, and nothing is left."""

from collections.abc import AsyncIterable, Iterator
from dataclasses import dataclass
from signal import SIGKILL
from typing import Any, cast

import pytest

from export_pipeline.ledger import registry
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline_tests.workflow.crashing import (
    LEASES_PASS_SECONDS,
    Switch,
    SwitchedLedger,
    SwitchedStore,
    processes,
)
from export_pipeline_tests.workflow.forgetting.traces import forgetting, naming, spellings
from export_pipeline_tests.workflow.world import World, world


@dataclass(frozen=True)
class Work:
    """What a process is to forget, how much later than now, and at which moment it dies."""

    environment: dict[str, str]
    scan: str
    later: float = 0.0
    die_at: str | None = None


class ErasingStore(SwitchedStore):
    """A store to which burying and erasing are steps."""

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        put = LocalStore.put(self, key, chunks, content_type=content_type)
        return cast("StoredObject", await self._switch.around("put a tombstone", put))

    async def erase(self, key: str) -> int:
        kind = key.partition("/")[0]
        return int(await self._switch.around(f"erase {kind}", super().erase(key)))


def work(task: Work, seen: Any = None) -> None:
    """Forget a scan, as the command does."""
    switch = Switch(task.die_at)
    settings = Settings.from_env(task.environment)
    ledger = SwitchedLedger(settings.ledger_url, switch, task.later)
    store = ErasingStore(settings.home / "archive", switch)
    addresses = Addresses(settings.receiver_url, settings.secrets)
    vendor = Copyleaks(settings, ledger)
    pipeline = Pipeline(settings, ledger, store, vendor, addresses)
    World.run(None, pipeline, forgetting(key(task.scan)))  # type: ignore[arg-type]
    ledger.close()
    if seen is not None:
        seen.put(list(switch.seen))


def key(scan: str) -> ScanKey:
    return ScanKey("copyleaks", "default", scan)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world") / "home") as made:
        yield made


def start(task: Work, seen: Any = None) -> int | None:
    """Let a process do it, return how it ended."""
    process = processes.Process(target=work, args=(task, seen))
    process.start()
    moments = seen.get(timeout=60) if seen is not None else None
    process.join()
    if seen is not None:
        seen.put(moments)
    code: int | None = process.exitcode
    return code


def test_killed_at_every_step_it_is_finished_by_the_same_call(place: World) -> None:
    """The steps are those of a `forget` that nobody kills, so that new ones are covered too."""
    place.archive([ScanSpec("whole", results=1)])
    seen = processes.Queue()
    assert start(Work(place.environment, "whole"), seen) == 0
    # What is killed before a step was killed after the one before it.
    moments = [moment for moment in seen.get(timeout=60) if moment.startswith("after")]
    assert {"after _bury", "after erase copyleaks", "after _erase_rows"} <= set(moments)
    names = [f"killed-{number}" for number in range(len(moments))]
    place.archive([ScanSpec(name, results=1, artifacts=("crawledVersion",)) for name in names])
    later = 0.0
    for name, moment in zip(names, moments, strict=True):
        later += LEASES_PASS_SECONDS
        ended = start(Work(place.environment, name, later, moment))
        assert ended == -SIGKILL, f"nobody died {moment}"
        later += LEASES_PASS_SECONDS
        assert start(Work(place.environment, name, later)) == 0
        assert place.look(registry.find, key(name)) is None
        place.ledger.wipe()
        assert naming(place.home, *(b + b"/" for b in spellings(name))) == []
        assert naming(place.home, b'"%s"' % name.encode()) == []
