"""A process killed with kill -9 at every named step: started again, everything ends well."""

from collections.abc import Iterator

import pytest

from export_pipeline.receiver.addresses import Addresses
from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.workflow.crashing import NO_DEADLINE, Workers, receivers
from export_pipeline_tests.workflow.proofs import completed, hard, prove
from export_pipeline_tests.workflow.world import World, world

ONCE = ("_take", "_claim", "_save", "release")
"""Steps of a login."""
BY_CHANCE = ("note_missed", "renew")
"""Steps that only a slow machine takes: a turn missed, a lease renewed."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world") / "home") as made:
        made.environment |= NO_DEADLINE
        yield made


@pytest.fixture(scope="module")
def workers(place: World) -> Workers:
    return Workers(place.environment)


def easy(name: str) -> ScanSpec:
    return ScanSpec(name, results=1, artifacts=("crawledVersion",))


def test_workers_killed_at_every_step_one_after_the_other_lose_nothing(
    place: World, workers: Workers
) -> None:
    """The steps are those of a run that nobody kills, so that new ones are covered too.

    Each worker has a scan of its own to begin with, and what the dead left to finish.
    """
    moments = workers.record([completed(place, hard("clean"))])
    prove(place, "clean")
    ours = {"after take", "before leaves", "after leaves", "after settle_order"}
    assert {"before place", *ours, "before put tagmanifest-sha256.txt"} <= set(moments)
    names: list[str] = []
    survived: list[str] = []
    for moment in moments:
        names.append(completed(place, hard(f"killed-{len(names)}")))
        if workers.run(names, die_at=moment):
            survived.append(moment)
    assert workers.run(names)
    for name in names:
        prove(place, name)
    # A login is for hours: only in the first worker of all it is a step.
    assert not [moment for moment in survived if not moment.endswith(ONCE + BY_CHANCE)]


@pytest.mark.parametrize(
    "moment",
    [
        f"{when} {step}"
        for step in ("receive scans", "put an artifact", "delivered", "receive orders")
        for when in ("before", "after")
    ],
)
def test_a_receiver_killed_at_any_step_loses_no_webhook_and_no_upload(
    place: World, workers: Workers, moment: str
) -> None:
    name = moment.replace(" ", "-")
    with receivers(place.environment) as receiver:
        place.addresses = Addresses(receiver.url, place.settings.secrets)
        receiver.kill()
        receiver.start(die_at=moment)
        place.create([easy(name)])
        place.control("scans/complete", {"ids": [name]})
        worker = workers.start(workers.next([name]))
        place.until(receiver.died)
        receiver.start()
        worker.join()
    assert worker.exitcode == 0
    prove(place, name)
