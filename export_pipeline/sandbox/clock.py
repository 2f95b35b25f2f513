"""The clock of the sandbox, passed in so that a benchmark can step through days in seconds."""

import asyncio
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits; times are Unix seconds."""

    def now(self) -> float:
        """The current time in Unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` have passed on this clock."""
        ...


class RealClock:
    """The machine's own clock."""

    def now(self) -> float:
        """The current time in Unix seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait for real."""
        await asyncio.sleep(seconds)


class SteppedClock:
    """A clock that stands still until `advance` is called, from any thread."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def now(self) -> float:
        """The current time in Unix seconds."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was stepped past `seconds` from now."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            sleeper = (self._now + seconds, loop, future)
            self._waiting.append(sleeper)
        if seconds <= 0:
            self._wake_due()
        try:
            await future
        finally:
            with self._lock:
                if sleeper in self._waiting:
                    self._waiting.remove(sleeper)

    def sleepers(self) -> int:
        """How many waits are open, so that a caller knows that stepping has an effect."""
        return len(self._waiting)

    def advance(self, seconds: float) -> None:
        """Step forward and wake whatever is due, the earliest first."""
        with self._lock:
            self._now += seconds
        self._wake_due()

    def _wake_due(self) -> None:
        with self._lock:
            due = sorted((s for s in self._waiting if s[0] <= self._now), key=lambda s: s[0])
            self._waiting = [s for s in self._waiting if s[0] > self._now]
        for _, loop, future in due:
            loop.call_soon_threadsafe(_finish, future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
