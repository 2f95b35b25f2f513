"""Calls of a store made again where that helps, after pauses that grow."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from export_pipeline.errors import AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.http import Answer

ATTEMPTS = 5
"""Tries of one call before its error is told."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
LONGEST_RETRY_AFTER_SECONDS = 60.0
"""If a store asks for more patience, the call fails, and the workflow comes back later."""

Result = TypeVar("Result")


class MaybeOurs(AlreadyExists):
    """A repeated write found an object: perhaps the first try made it and its answer was lost."""


class Busy(StoreUnavailable):
    """The store asks for patience: `retry_after` seconds, 0 if it does not say."""

    retry_after = 0.0


class Retries:
    """The further tries of one store's calls.

    Args:
        sleep: waits, in seconds.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep

    async def call(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Call until it succeeds or an error will not go away.

        Raises:
            MaybeOurs: there is an object, and not at the first try.
            StoreError: what `attempt` raises.
        """
        failures = 0
        while True:
            try:
                return await attempt()
            except AlreadyExists as error:
                raise (MaybeOurs(str(error)) if failures else error) from None
            except StoreUnavailable as error:
                failures += 1
                await self.rest(failures, error)

    async def rest(self, failures: int, error: StoreUnavailable) -> None:
        """Wait before the next try, longer each time, spread so that writers do not march.

        Args:
            failures: in a row so far.

        Raises:
            StoreUnavailable: in the words of `error`, if another try is not worth it.
        """
        asked = error.retry_after if isinstance(error, Busy) else 0.0
        if failures == ATTEMPTS or asked > LONGEST_RETRY_AFTER_SECONDS:
            raise StoreUnavailable(str(error)) from error.__cause__
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * float(2**failures))
        await self._sleep(max(asked, random.uniform(FIRST_PAUSE_SECONDS, longest)))  # noqa: S311  guards nothing


def patient(error: StoreError, answer: Answer) -> StoreError:
    """Return an error; one that is `Busy` with the seconds that the answer asks for."""
    if isinstance(error, Busy):
        asked = answer.headers.get("retry-after", "")
        error.retry_after = float(asked) if asked.isdecimal() else 0.0
    return error
