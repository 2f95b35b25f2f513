"""Drive some scans until they are settled: what a run by hand does while somebody watches."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress

from export_pipeline.concurrency import all_of
from export_pipeline.errors import StoreError
from export_pipeline.ledger import artifacts, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import ArtifactState, Scan
from export_pipeline.vendors.channel import WHOLE_SECONDS
from export_pipeline.workflow.collect import collect
from export_pipeline.workflow.completion import read_completions
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.poll import poll
from export_pipeline.workflow.reconcile import find_stuck, frozen, seal_all
from export_pipeline.workflow.send import drain

LOOK_SECONDS = 0.25
ORDERS_PER_TURN = 200
ENDING_SECONDS = WHOLE_SECONDS
"""For how long the calls under way are waited for when the time is over: for as long as placing
an order takes, but not for the upload of a large file, which takes up to 40 minutes."""


async def drive(
    pipeline: Pipeline,
    scan_ids: Sequence[int],
    *,
    kinds: Collection[str],
    wants_bag: bool,
    seconds: float,
    show: Callable[[], Awaitable[None]],
) -> list[Scan]:
    """Send and collect until the scans are settled or `seconds` have passed.

    Calls under way then are given `ENDING_SECONDS` more.

    Args:
        kinds: the artifact kinds that are waited for.
        wants_bag: whether the sealed bag is waited for too.
        show: called after every turn, to show what was settled.

    Returns:
        The scans that are not settled yet: nothing is lost, the collect sensor goes on with them.

    Raises:
        StoreError: the store failed, for good or at the last turn; nothing is lost then either.
    """
    stop = asyncio.Event()
    beside = [
        asyncio.create_task(verb(pipeline, seconds=seconds, linger=seconds, stop=stop))
        for verb in (drain, poll)
    ]
    try:
        return await _collect_until(pipeline, scan_ids, kinds, wants_bag, seconds, show)
    finally:
        stop.set()
        await _end(beside)


async def _end(beside: Collection[asyncio.Task[int]]) -> None:
    """Wait for the calls under way, and give up those that take longer than `ENDING_SECONDS`.

    An order whose send is given up is sent again as after a crash, once its lease has ended.
    """
    done, slow = await asyncio.wait(beside, timeout=ENDING_SECONDS)
    await all_of(*done, *map(_give_up, slow))


async def _give_up(slow: asyncio.Task[int]) -> None:
    slow.cancel()
    with suppress(asyncio.CancelledError):
        await slow


async def _collect_until(
    pipeline: Pipeline,
    scan_ids: Sequence[int],
    kinds: Collection[str],
    wants_bag: bool,  # noqa: FBT001  private
    seconds: float,
    show: Callable[[], Awaitable[None]],
) -> list[Scan]:
    until = await pipeline.ledger.look(_now) + seconds
    while True:
        is_last = await pipeline.ledger.look(_now) >= until
        try:
            await _turn(pipeline, scan_ids)
        except StoreError as error:
            if is_last or not error.transient:
                raise
        await show()
        open_scans = await pipeline.ledger.look(unsettled, scan_ids, kinds, wants_bag)
        if not open_scans or is_last:
            return open_scans
        await pipeline.sleep(LOOK_SECONDS)


def _now(tx: Tx) -> float:
    return tx.now


async def _turn(pipeline: Pipeline, scan_ids: Sequence[int]) -> None:
    await pipeline.ledger.apply(find_stuck, pipeline.vendor)
    await read_completions(pipeline)
    await collect(pipeline, limit=ORDERS_PER_TURN, scan_ids=scan_ids)
    await seal_all(pipeline, await pipeline.ledger.look(frozen, scan_ids))


def unsettled(
    tx: Tx,
    scan_ids: Sequence[int],
    kinds: Collection[str],
    wants_bag: bool,  # noqa: FBT001
) -> list[Scan]:
    """Those scans that still wait for a bag, or for an artifact of one of the kinds."""
    found = registry.by_ids(tx, scan_ids)
    open_scans = [scan for scan in found if scan.state not in registry.SETTLED]
    if wants_bag:
        return open_scans
    return [
        scan
        for scan in open_scans
        if any(
            one.state == ArtifactState.EXPECTED and one.kind in kinds
            for one in artifacts.of_generation(tx, scan.id, scan.generation)
        )
    ]
