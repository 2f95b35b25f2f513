"""One long operation at a time, for accounts that may run no more (FACTS 2.8)."""

from export_pipeline.errors import TurnMissed
from export_pipeline.ledger import leases
from export_pipeline.ledger.database import Ledger
from export_pipeline.vendors.laserfiche.login import VENDOR
from export_pipeline.vendors.pacing import Sleep

WAIT_SECONDS = 60
"""The longest that an order waits for its turn before it goes back into the queue."""
POLL_SECONDS = 1.0


class Slot:
    """The right to run the account's one task, held by an order for all processes to see.

    Args:
        account: the account's short name.
        ledger: where it is held.
        hold_seconds: the longest that an order holds it, should nobody hear of its end.
        sleep: waits for the seconds it is given.
    """

    def __init__(self, account: str, ledger: Ledger, *, hold_seconds: float, sleep: Sleep) -> None:
        self._name = f"task/{VENDOR}/{account}"
        self._ledger = ledger
        self._hold_seconds = hold_seconds
        self._sleep = sleep

    async def take(self, order_id: str) -> None:
        """Wait until the account's last task ended, and let this order run the next.

        Raises:
            TurnMissed: it did not end in time.
        """
        for _ in range(WAIT_SECONDS):
            if await self._ledger.apply(leases.acquire, self._name, order_id, self._hold_seconds):
                return
            await self._sleep(POLL_SECONDS)
        raise TurnMissed("the export was not sent: the account's one long operation has not ended")

    async def free(self, order_id: str) -> None:
        """Let the next order run its task, if this one's was running."""
        await self._ledger.apply(leases.release, self._name, order_id)
