"""An exact judge of a vendor's rate limits."""

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from export_pipeline.sandbox.clock import Clock


@dataclass(frozen=True)
class Limit:
    """At most `calls` in any `seconds`."""

    name: str
    calls: int
    seconds: float


@dataclass
class Allowed:
    """The calls that were counted against a limit, and when the first and the last came."""

    first: float
    last: float
    calls: int = 0

    def add(self, now: float) -> None:
        """Count one call."""
        self.calls += 1
        self.last = now


class SlidingWindows:
    """Allows a call only if no window of the limit's length, wherever it begins, holds too many.

    Refused calls are counted in `violations` by limit and do not use up the window.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)
        self._allowed: dict[str, Allowed] = {}
        self.violations: Counter[str] = Counter()

    def take(self, account: str, limits: Sequence[Limit]) -> float | None:
        """Count a call against all `limits`, or return the seconds until it would be allowed."""
        now = self._clock.now()
        waits = {limit.name: self._wait(account, limit, now) for limit in limits}
        broken = {name: wait for name, wait in waits.items() if wait > 0}
        if broken:
            self.violations.update(broken.keys())
            return max(broken.values())
        for limit in limits:
            self._calls[account, limit.name].append(now)
            self._allowed.setdefault(limit.name, Allowed(now, now)).add(now)
        return None

    def as_json(self) -> dict[str, Any]:
        """By limit: calls refused; calls allowed, and the seconds from the first to the last."""
        allowed = {
            name: {"calls": one.calls, "seconds": one.last - one.first}
            for name, one in self._allowed.items()
        }
        return {"limited": dict(self.violations), "allowed": allowed}

    def left(self, account: str, limit: Limit) -> int:
        """How many calls of the limit are allowed now."""
        self._wait(account, limit, self._clock.now())
        return max(limit.calls - len(self._calls[account, limit.name]), 0)

    def _wait(self, account: str, limit: Limit, now: float) -> float:
        calls = self._calls[account, limit.name]
        while calls and now - calls[0] >= limit.seconds:
            calls.popleft()
        if len(calls) < limit.calls:
            return 0.0
        return limit.seconds - (now - calls[len(calls) - limit.calls])
