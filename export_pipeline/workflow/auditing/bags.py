"""Which sealed bags to verify: all, a random sample, those verified longest ago."""

import math
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from random import Random

from export_pipeline.archive.pace import cost
from export_pipeline.ledger import audits
from export_pipeline.ledger.audits import SealedBag
from export_pipeline.ledger.database import Ledger

BAGS_PER_PAGE = 1_000


async def every_bag(
    ledger: Ledger,
    *,
    scan_id: int | None = None,
    newest: bool = False,
    vendor: str | None = None,
    account: str | None = None,
) -> AsyncIterator[SealedBag]:
    """Every sealed bag in order of registration, narrowed by what is given.

    With `newest`, one is left out once a newer one of its scan is sealed.
    """
    after = (0, 0)
    while page := await ledger.look(
        audits.page,
        scan_id=scan_id,
        newest=newest,
        vendor=vendor,
        account=account,
        after=after,
        limit=BAGS_PER_PAGE,
    ):
        for bag in page:
            yield bag
        after = (page[-1].scan_id, page[-1].number)


async def each(bags: Iterable[SealedBag]) -> AsyncIterator[SealedBag]:
    """These bags."""
    for bag in bags:
        yield bag


def part_of(count: int, percent: float) -> int:
    """Return how many `percent` of `count` are, rounded up."""
    return math.ceil(count * percent / 100)


async def sample(
    bags: AsyncIterable[SealedBag], count: int, chosen: int, random: Random
) -> AsyncIterator[SealedBag]:
    """Draw `chosen` of `count` bags, each as likely as any other.

    One pass, nothing held: algorithm S of Knuth, The Art of Computer Programming 2, part 3.4.2.
    """
    wanted, left = chosen, count
    async for bag in bags:
        if random.random() * left < wanted:
            wanted -= 1
            yield bag
        left -= 1
        if not wanted:
            return


async def verified_longest_ago(
    ledger: Ledger, *, budget: int, before: float
) -> AsyncIterator[SealedBag]:
    """Those bags whose last verification is oldest, until they cost `budget` bytes to reread.

    Args:
        before: what was verified later, in seconds since the epoch, is not due.
    """
    after, spent = (0.0, 0, 0), 0
    while page := await ledger.look(audits.oldest, before=before, after=after, limit=BAGS_PER_PAGE):
        for bag in page:
            if spent >= budget:
                return
            spent += cost(1, bag.bytes)
            yield bag
        after = (page[-1].verified_at, page[-1].scan_id, page[-1].number)
