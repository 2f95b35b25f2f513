"""Holding a lease while something is done, however long that takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy.exc import SQLAlchemyError

from export_pipeline.ledger import leases
from export_pipeline.ledger.database import Ledger
from export_pipeline.logs import get_logger

LEASE_SECONDS = 60.0
RENEWALS_PER_LEASE = 4

log = get_logger(__name__)


async def take(ledger: Ledger, name: str, owner: str) -> bool:
    """Take the lease of that name or renew it; False while another has it."""
    return await ledger.apply(leases.acquire, name, owner, LEASE_SECONDS)


@asynccontextmanager
async def held(ledger: Ledger, name: str, owner: str) -> AsyncIterator[None]:
    """Renew a lease that was taken, and give it back at the end."""
    renewing = asyncio.create_task(_renew(ledger, name, owner))
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        await ledger.apply(leases.release, name, owner)


async def _renew(ledger: Ledger, name: str, owner: str) -> None:
    while True:
        await asyncio.sleep(LEASE_SECONDS / RENEWALS_PER_LEASE)
        try:
            await take(ledger, name, owner)
        except SQLAlchemyError as error:
            # The next try may do; what is done meanwhile does not fail by this one.
            log.warning("lease not renewed", lease=name, error=type(error).__name__)


@asynccontextmanager
async def copying(ledger: Ledger, to: str) -> AsyncIterator[None]:
    """Let nothing be forgotten while what is known of scans is copied to somewhere.

    Args:
        to: its name, one writer's own.
    """
    name = leases.COPYING + to
    await take(ledger, name, to)
    async with held(ledger, name, to):
        yield
