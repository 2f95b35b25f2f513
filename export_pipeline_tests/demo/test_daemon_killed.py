"""Dagster killed three times, and the receiver once, in the middle of 50 scans."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from export_pipeline.defs.runs import UNFINISHED
from export_pipeline.demo.home import DemoHome
from export_pipeline.demo.progress import Progress, read_progress
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline_tests.demo.daemon import Daemon
from export_pipeline_tests.workflow.crashing import Receivers, receivers
from export_pipeline_tests.workflow.proofs import prove
from export_pipeline_tests.workflow.world import World, world

SCANS = [f"essay-{number:02}" for number in range(50)]
KEYS = [ScanKey("copyleaks", "default", scan) for scan in SCANS]
RESULTS = 2
ARTIFACTS = RESULTS + 5
KILLED_WHEN_SETTLED = (8, 20, 32)
RECEIVER_KILLED_TOO = 20
AHEAD = 11
"""Scans that the vendor has ended beyond those for which a kill waits: fewer than lie between two
kills, so that each comes in the middle of the work, and has some of its own, however late."""
UP_TO_SECONDS = 1.0
"""A kill comes up to this much later, at random."""
SETTINGS = {
    "EXPORT_SENSOR_SECONDS": "1",
    # So slow that each kill finds work before it.
    "EXPORT_COPYLEAKS_EXPORTS_PER_MINUTE": "100",
    "EXPORT_ORDER_PATIENCE": "5",
    "EXPORT_ORDER_DEADLINE": "7200",
}
GIVE_UP_SECONDS = 600.0
LOOK_SECONDS = 0.1

Files = dict[Path, tuple[int, int]]
"""Inode and time of change of each file: who writes one again, changes them."""


@dataclass
class Killing:
    """A world in which Dagster was killed, and what was found after each kill.

    Args:
        settled: how many scans were.
        orphans: runs that were at work.
        files: artifacts in the archive.
    """

    place: World
    daemon: Daemon
    settled: list[int] = field(default_factory=list)
    orphans: set[str] = field(default_factory=set)
    files: Files = field(default_factory=dict)

    def progress(self) -> Progress:
        return self.place.look(read_progress, KEYS)

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            self.daemon.require_running()
            assert time.monotonic() < end, self.progress()
            time.sleep(LOOK_SECONDS)

    def archived(self) -> Files:
        found = (self.place.home / "archive").glob("**/data/**/*")
        stats = {path: path.stat() for path in found if path.is_file()}
        return {path: (one.st_ino, one.st_mtime_ns) for path, one in stats.items()}

    def kill(self, receiver: Receivers | None) -> None:
        self.daemon.kill()
        if receiver is not None:
            receiver.kill()
            receiver.start()
        self.settled.append(self.progress().settled)
        self.orphans |= {run.run_id for run in self.daemon.runs(dg.DagsterRunStatus.STARTED)}
        self.files |= self.archived()

    def run(self, receiver: Receivers, chance: random.Random) -> None:
        """Archive all scans, by a daemon that is killed and started again."""
        scans = self.place.create([ScanSpec(one, RESULTS) for one in SCANS])
        self.daemon.start()
        ended = 0
        for count in KILLED_WHEN_SETTLED:
            self.place.complete(scans[ended : count + AHEAD])
            ended = count + AHEAD
            self.until(lambda least=count: self.progress().settled >= least)
            time.sleep(chance.uniform(0, UP_TO_SECONDS))
            self.kill(receiver if count == RECEIVER_KILLED_TOO else None)
            self.daemon.start()
        self.place.complete(scans[ended:])
        self.until(lambda: self.progress().is_done)
        self.until(lambda: not self.daemon.runs(*UNFINISHED))


@pytest.fixture(scope="module")
def killing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killing]:
    """All is settled and shown, whatever was killed meanwhile."""
    home = DemoHome(tmp_path_factory.mktemp("killed") / "home")
    with home.held(), world(home.path) as place, receivers(place.environment) as receiver:
        place.addresses = Addresses(receiver.url, place.settings.secrets)
        made = Killing(place, Daemon(home, place.environment | SETTINGS))
        try:
            made.run(receiver, random.Random())
        finally:
            made.daemon.stop()
        yield made


def test_each_kill_was_in_the_middle_of_the_work(killing: Killing) -> None:
    assert all(0 < settled < len(SCANS) for settled in killing.settled)
    assert len(set(killing.settled)) == len(KILLED_WHEN_SETTLED)
    assert killing.orphans


def test_every_scan_ends_sealed_with_what_is_recorded_equal_to_what_is_stored(
    killing: Killing,
) -> None:
    for scan in SCANS:
        prove(killing.place, scan)
        assert len(killing.place.stored(scan)) == ARTIFACTS


def test_no_artifact_is_ordered_twice(killing: Killing) -> None:
    """A send whose answer was lost with its process is repeated, by the same id."""
    accepted = killing.place.sandbox.stats()["orders"]
    once = {(one["scan"], one["export"]): one["artifacts"] for one in accepted}
    asked = Counter((scan, name) for (scan, _), names in once.items() for name in names)
    assert len(asked) == len(SCANS) * ARTIFACTS
    assert set(asked.values()) == {1}


def test_no_complete_artifact_is_moved_again(killing: Killing) -> None:
    now = killing.archived()
    assert len(killing.files) >= KILLED_WHEN_SETTLED[-1] * ARTIFACTS
    assert {path: now.get(path) for path in killing.files} == killing.files
    stats = killing.place.sandbox.stats()
    assert stats["uploads_sent"] - stats["uploads_refused"] == len(SCANS) * ARTIFACTS


def test_dagster_shows_each_bag_and_holds_no_killed_run_for_started(killing: Killing) -> None:
    keys = {key.partition_key for key in KEYS}
    with killing.daemon.instance() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(["copyleaks", "bag"])) == keys
        orphans = [instance.get_run_by_id(one).status for one in killing.orphans]
    assert set(orphans) == {dg.DagsterRunStatus.FAILURE}
    assert killing.daemon.runs(*UNFINISHED) == []
