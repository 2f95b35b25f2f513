"""Being the only one, over all processes, who does something."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from export_pipeline.errors import NotForgotten
from export_pipeline.ledger import leases
from export_pipeline.workflow.pipeline import Pipeline

LEASE_SECONDS = 60.0
RENEWALS_PER_LEASE = 4
LOOK_AGAIN_SECONDS = 1.0


@asynccontextmanager
async def alone(pipeline: Pipeline, name: str, patience: float) -> AsyncIterator[None]:
    """Hold the lease of that name meanwhile, and wait for it if another has it.

    Args:
        name: also what messages call it.
        patience: seconds to wait.

    Raises:
        NotForgotten: another still has it.
    """
    left = patience
    while not await _take(pipeline, name):
        if left <= 0:
            raise NotForgotten(f"another `{name}` is at work: try again when it is over")
        await pipeline.sleep(LOOK_AGAIN_SECONDS)
        left -= LOOK_AGAIN_SECONDS
    renewing = asyncio.create_task(_renew(pipeline, name))
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        await pipeline.ledger.apply(leases.release, name, pipeline.owner)


async def _renew(pipeline: Pipeline, name: str) -> None:
    while True:
        await asyncio.sleep(LEASE_SECONDS / RENEWALS_PER_LEASE)
        await _take(pipeline, name)


async def _take(pipeline: Pipeline, name: str) -> bool:
    return await pipeline.ledger.apply(leases.acquire, name, pipeline.owner, LEASE_SECONDS)
