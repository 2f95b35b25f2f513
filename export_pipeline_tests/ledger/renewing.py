"""A lease that is renewed, as those who wait for it see it."""

import asyncio

import sqlalchemy as sa

from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.schema import leases
from export_pipeline_tests.ledger.conftest import SteppedClock

GIVE_UP_SECONDS = 60.0


async def renewed(ledger: Ledger, clock: SteppedClock, term_seconds: float) -> None:
    """Wait until the ledger's one lease lasts for a whole term from now."""
    until = sa.select(leases.c.until)
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while ledger.glance(until) != (clock.now + term_seconds,):  # noqa: ASYNC110  a thread's work
            await asyncio.sleep(0.01)
