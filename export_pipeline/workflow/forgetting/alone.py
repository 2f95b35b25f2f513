"""Being the only one, over all processes, who does something."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from export_pipeline.errors import NotForgotten
from export_pipeline.ledger.held import held, take
from export_pipeline.workflow.pipeline import Pipeline

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
    while not await take(pipeline.ledger, name, pipeline.owner):
        if left <= 0:
            raise NotForgotten(f"another `{name}` is at work: try again when it is over")
        await pipeline.sleep(LOOK_AGAIN_SECONDS)
        left -= LOOK_AGAIN_SECONDS
    async with held(pipeline.ledger, name, pipeline.owner):
        yield
