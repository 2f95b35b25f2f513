"""Credentials that end, fetched by a thread beside the event loop before they do."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from export_pipeline.errors import StoreError, StoreUnavailable

WAIT_SECONDS = 10.0
"""Longest time that a call that cannot await holds up its event loop."""
REST_SECONDS = 30.0
"""After a fetch its outcome, a failure too, serves all for so long."""

T = TypeVar("T")


class Ahead(Generic[T]):
    """Something that ends. Only the first is ever waited for, if its fetches succeed.

    Args:
        what: its name in errors.
        fetch: blocks; returns it and when it ends, in seconds since the epoch.
        ahead_seconds: with less time left, the next one is fetched beside its use.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        what: str,
        fetch: Callable[[], tuple[T, float]],
        ahead_seconds: float,
        now: Callable[[], float],
    ) -> None:
        self._what = what
        self._fetch = fetch
        self._ahead_seconds = ahead_seconds
        self._now = now
        self._lock = threading.Lock()
        self._held: tuple[T, float] | None = None
        self._latest: Future[tuple[T, float]] | None = None
        self._rests_until = 0.0

    async def get(self, seconds: float) -> T:
        """Return one that lasts for `seconds`.

        Raises:
            StoreError: what `fetch` raised, or even the newest ends before.
        """
        if (held := self._at_hand(seconds)) is not None:
            return held
        return self._lasting(await asyncio.wrap_future(self._begin()), seconds)

    def wait(self, seconds: float) -> T:
        """See `get`; blocks for `WAIT_SECONDS` at most, and only if there is none at hand.

        Raises:
            StoreUnavailable: that was not enough; it goes on being fetched.
        """
        if (held := self._at_hand(seconds)) is not None:
            return held
        try:
            return self._lasting(self._begin().result(WAIT_SECONDS), seconds)
        except TimeoutError:
            raise StoreUnavailable(
                f"{self._what} did not come within {WAIT_SECONDS:g} seconds: try again"
            ) from None

    def _at_hand(self, seconds: float) -> T | None:
        if self._held is None:
            return None
        value, ends = self._held
        left = ends - self._now()
        if left < self._ahead_seconds:
            self._begin()
        return value if left >= seconds else None

    def _begin(self) -> Future[tuple[T, float]]:
        with self._lock:
            if self._latest is None or (self._latest.done() and self._now() >= self._rests_until):
                self._latest = Future()
                # From here on nobody who waits for it can cancel it for the others.
                self._latest.set_running_or_notify_cancel()
                name = f"fetching {self._what}"
                threading.Thread(
                    target=self._renew, args=(self._latest,), name=name, daemon=True
                ).start()
            return self._latest

    def _renew(self, latest: Future[tuple[T, float]]) -> None:
        try:
            fetched = self._fetch()
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            self._rests_until = self._now() + REST_SECONDS
            latest.set_exception(error)
        else:
            self._rests_until = self._now() + REST_SECONDS
            self._held = fetched
            latest.set_result(fetched)

    def _lasting(self, fetched: tuple[T, float], seconds: float) -> T:
        value, ends = fetched
        if ends - self._now() < seconds:
            raise StoreError(f"{self._what} ends before {seconds:g} seconds have passed")
        return value
