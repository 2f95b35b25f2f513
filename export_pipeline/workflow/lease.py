"""The lease of an order: kept for as long as this process sends or collects it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy.exc import SQLAlchemyError

from export_pipeline.ledger import orders
from export_pipeline.ledger.rows import Order
from export_pipeline.logs import get_logger
from export_pipeline.workflow.pipeline import Pipeline

LEASE_SECONDS = 120.0
"""How long a process may be silent before another may take its order over."""
RENEWAL_SECONDS = 30.0
"""Between two renewals of the lease, while a large file is on its way."""

log = get_logger(__name__)


@asynccontextmanager
async def held(pipeline: Pipeline, order: Order, tries: int | None = None) -> AsyncIterator[None]:
    """Renew the lease of an order that stands as this one says, however long it takes.

    Args:
        tries: the turn in which it is sent; None while it is collected.
    """
    renewing = asyncio.create_task(_renew(pipeline, order, tries))
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing


async def _renew(pipeline: Pipeline, order: Order, tries: int | None) -> None:
    is_ours = True
    while is_ours:
        await asyncio.sleep(RENEWAL_SECONDS)
        try:
            is_ours = await pipeline.ledger.apply(
                orders.renew, order, pipeline.owner, seconds=LEASE_SECONDS, tries=tries
            )
        except SQLAlchemyError as error:
            # The next try may do; what is done meanwhile is worth more than the lease.
            log.warning("lease not renewed", order=order.id, error=type(error).__name__)
