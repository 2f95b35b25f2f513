"""One long operation at a time, for accounts that may run no more (FACTS 2.8)."""

from export_pipeline.errors import TurnMissed
from export_pipeline.ledger import leases
from export_pipeline.ledger.database import Ledger
from export_pipeline.vendors.channel import Channel
from export_pipeline.vendors.laserfiche import VENDOR
from export_pipeline.vendors.laserfiche.options import LaserficheAccount
from export_pipeline.vendors.pacing import Sleep

WAIT_SECONDS = 60
"""The longest that an order waits for its turn before it goes back into the queue."""
POLL_SECONDS = 1.0


class Slot:
    """The right to run the account's one task, of an order or a search, seen by all processes.

    Args:
        account: the account's short name.
        ledger: where it is held.
        hold_seconds: the longest that it is held, should nobody hear of the task's end.
        wait_seconds: the longest that its turn is waited for.
        sleep: waits for the seconds it is given.
    """

    def __init__(
        self,
        account: str,
        ledger: Ledger,
        *,
        hold_seconds: float,
        wait_seconds: int,
        sleep: Sleep,
    ) -> None:
        self._name = f"task/{VENDOR}/{account}"
        self._ledger = ledger
        self._hold_seconds = hold_seconds
        self._wait_seconds = wait_seconds
        self._sleep = sleep

    async def take(self, owner: str) -> None:
        """Wait until the account's last task ended, and let this owner run the next.

        Raises:
            TurnMissed: it did not end in time.
        """
        for _ in range(self._wait_seconds):
            if await self._ledger.apply(leases.acquire, self._name, owner, self._hold_seconds):
                return
            await self._sleep(POLL_SECONDS)
        raise TurnMissed("not sent: the account's one long operation has not ended")

    async def free(self, owner: str) -> None:
        """Let the next one run its task, if this one's was running."""
        await self._ledger.apply(leases.release, self._name, owner)


def open_slot(
    account: LaserficheAccount,
    channel: Channel,
    hold_seconds: float,
    wait_seconds: int = WAIT_SECONDS,
) -> Slot | None:
    """The account's slot, None where it may run several tasks; see `Slot`."""
    if not account.one_task:
        return None
    return Slot(
        account.name,
        channel.ledger,
        hold_seconds=hold_seconds,
        wait_seconds=wait_seconds,
        sleep=channel.sleep,
    )
