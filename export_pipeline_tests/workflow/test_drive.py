"""Driving scans while somebody watches."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from export_pipeline.errors import AccessDenied, StoreError, StoreUnavailable
from export_pipeline.ledger.rows import OrderState, QueueClass, Scan, ScanState
from export_pipeline.sandbox import ScanSpec
from export_pipeline.vendors.placement import Placement, Receipt
from export_pipeline.workflow import drive as drive_module
from export_pipeline.workflow.answer import note_acceptance
from export_pipeline.workflow.drive import drive
from export_pipeline.workflow.lease import LEASE_SECONDS
from export_pipeline.workflow.order import request
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline_tests.workflow.stepped import SINGLES, Stepped
from export_pipeline_tests.workflow.test_collect import StoreThat
from export_pipeline_tests.workflow.world import World

KINDS = ("results", *SINGLES)
HAND = QueueClass.HAND
MINUTE = 60.0


async def nothing() -> None:
    pass


def driven_past(
    home: Stepped, scan: Scan, happens: asyncio.Event, after: Callable[[], Awaitable[None]]
) -> list[Scan]:
    """Drive a scan until something happens and past its time; return what is left, after more."""

    async def stand_still(_: float) -> None:
        await asyncio.sleep(0)

    async def show() -> None:
        await asyncio.wait_for(happens.wait(), timeout=30)
        home.now += MINUTE

    async def work(pipeline: Pipeline) -> list[Scan]:
        left = await drive(
            pipeline, [scan.id], kinds=KINDS, wants_bag=True, seconds=MINUTE, show=show
        )
        await after()
        return left

    return home.run(work, sleep=stand_still)


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
    async def work(pipeline: Pipeline) -> list[Scan]:
        ids = [scan.id for scan in scans]
        how = {"kinds": KINDS, "wants_bag": True, **wanted}
        return await drive(pipeline, ids, seconds=seconds, show=nothing, **how)

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


def test_a_send_that_stands_still_is_given_up_and_repeated_as_after_a_crash(
    home: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run waited 40 minutes for an upload: its own time was over long before."""
    scan = home.register("essay")
    home.request(scan)
    has_left = asyncio.Event()

    async def stand_still(placement: Placement) -> Receipt:
        await placement.leaves()
        has_left.set()
        await asyncio.sleep(30)
        return Receipt()

    with monkeypatch.context() as slow:
        slow.setattr(drive_module, "ENDING_SECONDS", 0.0)
        slow.setattr(home.vendor, "place", stand_still)
        assert [one.id for one in driven_past(home, scan, has_left, nothing)] == [scan.id]
    order = home.newest(scan)
    assert (order.state, order.sends) == (OrderState.SENDING, 1)
    home.now += LEASE_SECONDS
    home.reconcile()
    home.send()
    [placement] = home.vendor.placed
    assert (placement.order.id, placement.order.sends) == (order.id, 1)
    assert home.newest(scan).state == OrderState.WAITING


def test_an_answer_that_came_is_noted_although_its_send_is_given_up(
    home: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = home.register("essay")
    home.request(scan)
    apply = home.ledger.apply
    has_come, is_free, is_noted = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def apply_late(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if work is not note_acceptance:
            return await apply(work, *args, **kwargs)
        has_come.set()
        await is_free.wait()
        await apply(work, *args, **kwargs)
        is_noted.set()
        return None

    async def go_on() -> None:
        assert home.newest(scan).state == OrderState.SENDING
        is_free.set()
        await asyncio.wait_for(is_noted.wait(), timeout=30)

    monkeypatch.setattr(drive_module, "ENDING_SECONDS", 0.0)
    monkeypatch.setattr(home.ledger, "apply", apply_late)
    driven_past(home, scan, has_come, go_on)
    assert home.newest(scan).state == OrderState.WAITING


def test_nothing_to_drive_ends_at_once(home: Stepped) -> None:
    began = home.now
    assert driven(home, []) == []
    assert home.now - began < 60
