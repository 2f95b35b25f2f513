"""Waiting for one's turn within a vendor's limits, for calls that the workflow does not pace."""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from export_pipeline.errors import VendorUnavailable
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.quotas import Quota, claim
from export_pipeline.vendors.http import Call

Sleep = Callable[[float], Awaitable[None]]


async def wait_turn(
    ledger: Ledger,
    call: Call,
    quotas: Sequence[Quota],
    *,
    longest_seconds: float,
    sleep: Sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Claim one call of each quota and sleep until it may be sent.

    Woken too late, when the call could crowd those after it, it gives the claim up for another.

    Raises:
        VendorUnavailable: the turn is further away than `longest_seconds`; nothing was claimed.
    """
    tolerance = max(quota.tolerance for quota in quotas)
    is_late = True
    while is_late:
        began = monotonic()
        seconds = await ledger.apply(_claim, call, quotas, longest_seconds)
        if seconds > 0:
            await sleep(seconds)
        is_late = monotonic() - began > seconds + tolerance


def _claim(tx: Tx, call: Call, quotas: Sequence[Quota], longest_seconds: float) -> float:
    moment = claim(tx, call.vendor, call.account, quotas)
    if moment - tx.now > longest_seconds:
        # Raising undoes the claim: nothing is sent on it.
        until = datetime.fromtimestamp(moment, UTC)
        names = " and ".join(quota.name for quota in quotas)
        raise call.error(
            VendorUnavailable,
            f"not sent, the limit of {names} or a pause of the account holds it back until"
            f" {until:%Y-%m-%d %H:%M:%S} UTC; {call.what_to_do(VendorUnavailable)}",
        )
    return moment - tx.now
