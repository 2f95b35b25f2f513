"""Driving scans while somebody watches."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from export_pipeline.errors import AccessDenied, StoreError, StoreUnavailable
from export_pipeline.ledger.rows import OrderState, QueueClass, Scan, ScanState
from export_pipeline.sandbox import ScanSpec
from export_pipeline.workflow.drive import drive
from export_pipeline.workflow.order import request
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline_tests.workflow.stepped import SINGLES, Stepped
from export_pipeline_tests.workflow.test_collect import StoreThat
from export_pipeline_tests.workflow.world import World

KINDS = ("results", *SINGLES)
HAND = QueueClass.HAND


def driven(
    home: Stepped,
    scans: Sequence[Scan],
    *,
    seconds: float = 60.0,
    kinds: Sequence[str] = KINDS,
    wants_bag: bool = True,
    turn: Callable[[], None] = lambda: None,
    **parts: object,
) -> list[Scan]:
    async def show() -> None:
        turn()

    async def work(pipeline: Pipeline) -> list[Scan]:
        ids = [scan.id for scan in scans]
        return await drive(
            pipeline, ids, kinds=kinds, wants_bag=wants_bag, seconds=seconds, show=show
        )

    return home.run(work, **parts)


def asked(place: World, specs: Sequence[ScanSpec], **wanted: Any) -> list[Scan]:
    """Scans of the real vendor that were asked for by hand."""
    pipeline = place.pipeline(order_on_webhook=False)
    names = place.create(specs)
    place.complete(names)
    place.register(pipeline)
    for name in names:
        place.write(request, pipeline.vendor, place.scan(name), queue_class=HAND, **wanted)
    return [place.scan(name) for name in names]


def driven_there(
    place: World, scans: Sequence[Scan], *, seconds: float = 60.0, **wanted: Any
) -> list[Scan]:
    async def show() -> None:
        pass

    async def work(pipeline: Pipeline) -> list[Scan]:
        ids = [scan.id for scan in scans]
        how = {"kinds": KINDS, "wants_bag": True, **wanted}
        return await drive(pipeline, ids, seconds=seconds, show=show, **how)

    return place.run(place.pipeline(), work)


def test_scans_are_sent_collected_and_sealed_in_one_go(one_world: World) -> None:
    scans = asked(one_world, [ScanSpec(f"essay-{number}", results=1) for number in range(3)])
    assert driven_there(one_world, scans) == []
    assert {one_world.scan(one.scan).state for one in scans} == {ScanState.ARCHIVED}


def test_it_ends_with_its_time_and_names_what_still_waits(one_world: World) -> None:
    scans = asked(one_world, [ScanSpec("waits", results=1)])
    assert [one.scan for one in driven_there(one_world, scans, seconds=0)] == ["waits"]
    assert one_world.scan("waits").state == ScanState.ORDERED
    assert driven_there(one_world, scans) == []


def test_without_the_bag_it_waits_for_the_kinds_only(one_world: World) -> None:
    scans = asked(one_world, [ScanSpec("subset")], kinds={"overview"}, wants_bag=False)
    assert driven_there(one_world, scans, kinds=["overview"], wants_bag=False) == []
    states = {name: one.state for name, one in one_world.artifacts("subset").items()}
    assert states == {"overview.json": "verified"}


def test_a_scan_that_needs_nothing_but_its_seal_gets_it(home: Stepped) -> None:
    """It waited for the reconciler, which may run in five minutes or, without a daemon, never."""
    scan = home.register("essay", results=[])
    home.request(scan, kinds=set(KINDS), wants_bag=False)
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    home.request(scan)
    assert driven(home, [scan]) == []
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_a_scan_that_fails_is_settled(one_world: World) -> None:
    nothing = ScanSpec("nothing", results=0, artifacts=(), traits=("never_delivers",))
    assert driven_there(one_world, asked(one_world, [nothing])) == []
    assert one_world.scan("nothing").state == ScanState.FAILED


def failing(error: StoreError) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_store_that_fails_for_a_moment_is_waited_out(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.deliver(home.newest(scan))
    store = StoreThat(home, failing(StoreUnavailable("not now")))
    assert driven(home, [scan], store=store) == []
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_a_store_that_denies_access_ends_the_run_with_its_words(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.deliver(home.newest(scan))
    store = StoreThat(home, failing(AccessDenied("grant access")))
    with pytest.raises(AccessDenied, match="grant access"):
        driven(home, [scan], store=store)
    assert home.newest(scan).state == OrderState.COMPLETED


def test_nothing_to_drive_ends_at_once(home: Stepped) -> None:
    began = home.now
    assert driven(home, []) == []
    assert home.now - began < 60
