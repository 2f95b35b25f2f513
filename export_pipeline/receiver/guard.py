"""Writing to a store that would replace what it has: one writer a key, by a lease in the ledger.

Such a store is written to only by who holds the key's lease, and looks first (`Store.put` does).
It cannot be told which lease a PUT belongs to, so a lease outlives what may still be under way: its
holder stops `MARGIN_SECONDS` before it ends, and does not give it back early where the outcome is
not known. What lands later than that, of a process that stood still, replaces what is there.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy.exc import SQLAlchemyError

from export_pipeline.errors import StoreUnavailable
from export_pipeline.ledger import leases
from export_pipeline.ledger.database import Ledger
from export_pipeline.logs import get_logger
from export_pipeline.storage.store import Store

LEASE_PREFIX = leases.WRITING
LEASE_SECONDS = 30.0
MARGIN_SECONDS = 10.0
RENEW_SECONDS = 7.5
WAIT_SECONDS = 40.0
"""Longer than the lease of a writer that died; a vendor that is sent away repeats its upload."""
LOOK_AGAIN_SECONDS = 0.2

log = get_logger(__name__)


@asynccontextmanager
async def writing(ledger: Ledger, store: Store, key: str) -> AsyncIterator[None]:
    """Be the only writer of `key` meanwhile; costs nothing where the store is create-only.

    Raises:
        StoreUnavailable: somebody else is writing it, or the lease could not be renewed in time.
    """
    if store.capabilities.create_only:
        yield
        return
    lease = _Lease(ledger, key)
    await lease.acquire()
    try:
        async with lease.renewed():
            yield
    except (StoreUnavailable, asyncio.CancelledError):
        raise  # what was sent may land yet: nobody else writes until the lease ends by itself
    except BaseException:
        await lease.release()
        raise
    await lease.release()


class _Lease:
    """The right to write one key."""

    def __init__(self, ledger: Ledger, key: str) -> None:
        self._ledger = ledger
        self._key = key
        self._owner = secrets.token_hex(8)
        self._clock = asyncio.get_running_loop().time
        self._until = 0.0
        """When to stop, by the loop's clock."""

    async def acquire(self) -> None:
        """Wait for it, if another has it."""
        give_up = self._clock() + WAIT_SECONDS
        while not await self._take():
            if self._clock() > give_up:
                raise StoreUnavailable(f"{self._key!r} is being written by another upload")
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def release(self) -> None:
        """Give it back."""
        await self._ledger.apply(leases.release, LEASE_PREFIX + self._key, self._owner)

    @asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Renew it as long as it takes; break off what is done inside before it would end."""
        try:
            async with asyncio.timeout_at(self._until) as limit:
                renewing = asyncio.create_task(self._renew(limit))
                try:
                    yield
                finally:
                    renewing.cancel()
                    with suppress(asyncio.CancelledError):
                        await renewing
        except TimeoutError:
            if not limit.expired():
                raise
            reason = "its lease in the ledger could not be renewed in time"
            raise StoreUnavailable(f"{self._key!r} was not written: {reason}") from None

    async def _renew(self, limit: asyncio.Timeout) -> None:
        is_ours = True
        while is_ours:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                is_ours = await self._take()
            except SQLAlchemyError as error:
                # The next try may do; if none does, the limit passes.
                log.warning("write lease not renewed", key=self._key, error=type(error).__name__)
            if not limit.expired():
                limit.reschedule(self._until)

    async def _take(self) -> bool:
        asked_at = self._clock()
        name = LEASE_PREFIX + self._key
        is_ours = await self._ledger.apply(leases.acquire, name, self._owner, LEASE_SECONDS)
        if is_ours:
            self._until = asked_at + LEASE_SECONDS - MARGIN_SECONDS
        return is_ours
