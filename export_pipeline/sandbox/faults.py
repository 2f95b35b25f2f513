"""Faults that a test plans: each of the next calls of an operation meets one."""

from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence


class Faults:
    """What is planned, by operation.

    Args:
        known: the faults that calls of each operation can meet.
    """

    def __init__(self, known: Mapping[str, Collection[str]]) -> None:
        self._known = known
        self._planned: defaultdict[str, deque[str]] = defaultdict(deque)

    def plan(self, faults: Mapping[str, Sequence[str]]) -> None:
        """Let the next calls of each operation meet these; raises ValueError on unknown ones."""
        for operation, names in faults.items():
            if not set(names) <= set(self._known.get(operation, ())):
                told = "; ".join(f"{name}: {', '.join(one)}" for name, one in self._known.items())
                raise ValueError(f"no such faults of {operation!r}; known are {told}")
        for operation, names in faults.items():
            self._planned[operation].extend(names)

    def take(self, operation: str) -> str:
        """The fault of this call, "" if it meets none."""
        planned = self._planned[operation]
        return planned.popleft() if planned else ""
