"""What the calls of all accounts of a vendor go through: connections, turns, and the time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import httpx

from export_pipeline.errors import VendorError, VendorUnavailable
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.http import ANSWER_BYTES, Answer, Call, failure, send
from export_pipeline.vendors.pacing import Sleep, wait_turn

TURN_SECONDS = 60.0
"""The longest that a call waits for its turn: one whole window of the limits."""
WHOLE_SECONDS = 100.0
"""The longest that placing an order takes, the upload of what it is made of apart."""

Done = TypeVar("Done")


@dataclass(frozen=True)
class Channel:
    """How a vendor's clients reach it.

    Args:
        ledger: tokens, leases and quotas.
        http: gives the running event loop's HTTP client.
        clock: seconds since the epoch.
        sleep: waits for the seconds it is given.
    """

    ledger: Ledger
    http: Callable[[], httpx.AsyncClient]
    clock: Callable[[], float]
    sleep: Sleep

    async def turn(self, call: Call, quotas: Sequence[Quota]) -> None:
        """Wait until the call may be sent.

        Raises:
            VendorUnavailable: that is further away than `TURN_SECONDS`.
        """
        await wait_turn(self.ledger, call, quotas, longest_seconds=TURN_SECONDS, sleep=self.sleep)

    async def send(
        self,
        call: Call,
        method: str,
        url: str,
        *,
        bearer: str,
        body: bytes | None = None,
        hold_seconds: float = 0.0,
        answer_bytes: int = ANSWER_BYTES,
    ) -> Answer:
        """Send JSON, or nothing, with an API key or a token; its turn was waited for. See `send`.

        Raises:
            VendorUnavailable: no answer came.
            ConfigError: the vendor's address is not an HTTP address.
        """
        headers = {"Authorization": f"Bearer {bearer}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await send(
            self.http(),
            call,
            method,
            url,
            headers=headers,
            content=body,
            hold_seconds=hold_seconds,
            answer_bytes=answer_bytes,
        )

    def failure(
        self, call: Call, answer: Answer, said: str, kind: type[VendorError] | None = None
    ) -> VendorError:
        """The error that an answer means, now; see `failure`."""
        return failure(call, answer, said=said, now=self.clock(), kind=kind)


async def in_time(
    call: Call,
    work: Awaitable[Done],
    included: str,
    again: str = "it is tried again by itself",
    *,
    seconds: float | None = None,
) -> Done:
    """Place an order, or give that up.

    Args:
        call: names it in the error.
        work: what is done.
        included: what else took time, as in `turns included`.
        again: what happens next.
        seconds: the longest that it takes, `WHOLE_SECONDS` for None.

    Raises:
        VendorUnavailable: it took longer.
    """
    longest = WHOLE_SECONDS if seconds is None else seconds
    try:
        async with asyncio.timeout(longest):
            return await work
    except TimeoutError:
        pass
    raise call.error(
        VendorUnavailable,
        f"not done within {longest:.0f} s, {included} included; {again}",
    )
