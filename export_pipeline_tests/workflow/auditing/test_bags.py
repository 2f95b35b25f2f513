import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.archive.pace import pace
from export_pipeline.ledger import audits
from export_pipeline.ledger.audits import SealedBag
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.scans import ScanKey
from export_pipeline.workflow.auditing.bags import part_of, sample, verified_longest_ago
from export_pipeline_tests.ledger.conftest import SteppedClock
from export_pipeline_tests.ledger.test_audits import seal

DAY_SECONDS = 86_400


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: SteppedClock) -> Iterator[Ledger]:
    made = make_ledger(sqlite_url(tmp_path), clock)
    yield made
    made.close()


def bag(number: int) -> SealedBag:
    return SealedBag(number, ScanKey("copyleaks", "default", str(number)), 1, 0, "", 0.0)


async def bags(count: int) -> AsyncIterator[SealedBag]:
    for number in range(count):
        yield bag(number)


def drawn(count: int, chosen: int, seed: int) -> list[int]:
    async def scenario() -> list[int]:
        return [one.scan_id async for one in sample(bags(count), count, chosen, Random(seed))]

    return asyncio.run(scenario())


@given(st.integers(1, 300), st.floats(0.01, 100), st.integers())
def test_a_sample_has_as_many_bags_as_asked_for_each_once(
    count: int, percent: float, seed: int
) -> None:
    chosen = part_of(count, percent)
    assert 1 <= chosen <= count
    found = drawn(count, chosen, seed)
    assert len(found) == len(set(found)) == chosen


def test_the_same_seed_draws_the_same_and_every_bag_is_drawn_as_often() -> None:
    assert drawn(1_000, 10, seed=7) == drawn(1_000, 10, seed=7) != drawn(1_000, 10, seed=8)
    often = Counter(number for seed in range(2_000) for number in drawn(10, 3, seed))
    assert all(500 < often[number] < 700 for number in range(10)), often


def test_bags_sealed_since_they_were_counted_do_not_make_the_sample_larger() -> None:
    async def scenario() -> int:
        return len([one async for one in sample(bags(50), 10, 10, Random(1))])

    assert asyncio.run(scenario()) == 10


def test_every_bag_is_reread_within_the_days_whatever_its_size(
    ledger: Ledger, clock: SteppedClock
) -> None:
    """A week of daily runs over bags from empty to a third of the archive; more come meanwhile."""
    days, random = 7, Random(3)
    sizes = [0, 0, 0, 5_000_000, *(random.randrange(500_000) for _ in range(40))]
    with ledger.write() as tx:
        for number, size in enumerate(sizes):
            seal(tx, ScanKey("copyleaks", "default", f"s-{number}"), size)
    first = {(one.scan_id, one.number) for one in everything(ledger)}
    reread: list[tuple[int, int]] = []
    for day in range(days):
        clock.step(DAY_SECONDS)
        reread += asyncio.run(run(ledger, days))
        with ledger.write() as tx:
            seal(tx, ScanKey("copyleaks", "default", f"late-{day}"), 100_000)
    assert first <= set(reread)
    with ledger.read() as tx:
        size = audits.size(tx)
    assert size.oldest is not None
    assert size.at - size.oldest <= days * DAY_SECONDS


def everything(ledger: Ledger) -> list[SealedBag]:
    with ledger.read() as tx:
        return audits.page(tx, limit=10_000)


async def run(ledger: Ledger, days: int) -> list[tuple[int, int]]:
    size = await ledger.look(audits.size)
    chosen = pace(size.bags, size.bytes, days=days, most=None)
    due = verified_longest_ago(ledger, budget=chosen.budget, before=size.at)
    found = []
    async for one in due:
        found.append((one.scan_id, one.number))
        await ledger.apply(audits.audited, one, "")
    return found


def test_a_run_reads_at_least_one_bag_and_none_twice(ledger: Ledger, clock: SteppedClock) -> None:
    with ledger.write() as tx:
        for number in range(3):
            seal(tx, ScanKey("copyleaks", "default", f"s-{number}"), 10**12)
    clock.step(1)

    async def due(budget: int) -> int:
        found = verified_longest_ago(ledger, budget=budget, before=clock.now)
        return len([one async for one in found])

    assert asyncio.run(due(1)) == 1
    assert asyncio.run(due(10**15)) == 3
