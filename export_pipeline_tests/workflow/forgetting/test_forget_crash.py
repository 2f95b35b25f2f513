"""A `forget` that is killed at any step: the same command goes on, and nothing is left."""

import os
from collections.abc import AsyncIterable, Iterator
from dataclasses import dataclass
from signal import SIGKILL
from typing import Any, cast
from unittest.mock import patch

import pytest

from export_pipeline.cli import app
from export_pipeline.cli import home as cli_home
from export_pipeline.ledger import registry
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
from export_pipeline_tests.workflow.crashing import (
    LEASES_PASS_SECONDS,
    Switch,
    SwitchedLedger,
    SwitchedStore,
    processes,
)
from export_pipeline_tests.workflow.forgetting.converted import converted
from export_pipeline_tests.workflow.forgetting.traces import naming, spellings
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
    """Forget a scan by the command, of which every step may be the last."""
    switch = Switch(task.die_at)
    os.environ.update(task.environment)
    home = Settings.from_env(task.environment).home

    def ledger(url: str) -> SwitchedLedger:
        return SwitchedLedger(url, switch, task.later)

    def store(*_: object) -> ErasingStore:
        return ErasingStore(home / "archive", switch)

    with patch.object(cli_home, "open_ledger", ledger), patch.object(cli_home, "open_store", store):
        words = ["forget", task.scan, "--reason", "case 42", "--yes", "--without-dagster"]
        app(words, standalone_mode=False)
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
    converted(place, *place.archive([ScanSpec("whole", results=1)]))
    seen = processes.Queue()
    assert start(Work(place.environment, "whole"), seen) == 0
    # What is killed before a step was killed after the one before it.
    moments = [moment for moment in seen.get(timeout=60) if moment.startswith("after")]
    assert {"after _bury", "after erase copyleaks", "after _erase_rows"} <= set(moments)
    names = [f"killed-{number}" for number in range(len(moments))]
    specs = [ScanSpec(name, results=1, artifacts=("pdfReport",)) for name in names]
    for scan in place.archive(specs):
        converted(place, scan)
    later = 0.0
    for name, moment in zip(names, moments, strict=True):
        later += LEASES_PASS_SECONDS
        ended = start(Work(place.environment, name, later, moment))
        assert ended == -SIGKILL, f"nobody died {moment}"
        later += LEASES_PASS_SECONDS
        assert start(Work(place.environment, name, later)) == 0
        assert place.look(registry.find, key(name)) is None
        place.ledger.wipe()
        ends = (b"/", b'"', b".pdfa")
        assert naming(place.home, *(b + end for b in spellings(name) for end in ends)) == []
