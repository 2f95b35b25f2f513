"""Faults that a test plans: each of the next calls of an operation meets one."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence

from export_pipeline.sandbox.hookbridge.errors import BareError, EnvelopeError, too_many
from export_pipeline.sandbox.hookbridge.exports import TRAITS
from export_pipeline.sandbox.routing import ApiError

DROP = "drop"
"""The call does its work, and its answer is lost."""
CUT = "cut"
"""The file's connection breaks half way."""
DEAD = "dead"
"""The file's host takes the link for ended."""
CHANGED = "changed"
"""The file has another entity tag than it had."""
_OF_CALLS = ("401", "403", "429", "500", "503", "garbage", DROP)
KNOWN = {
    **dict.fromkeys(("list", "get", "download", "delete"), _OF_CALLS),
    "create": (*_OF_CALLS, *sorted(TRAITS)),
    "file": (CUT, DEAD, CHANGED, "429", "500", "503"),
}
"""The faults of each operation; a trait is the created export's."""


class Faults:
    """What is planned, by operation."""

    def __init__(self) -> None:
        self._planned: defaultdict[str, deque[str]] = defaultdict(deque)

    def plan(self, faults: Mapping[str, Sequence[str]]) -> None:
        """Let the next calls of each operation meet these; raises ValueError on unknown ones."""
        for operation, names in faults.items():
            if not set(names) <= set(KNOWN.get(operation, ())):
                raise ValueError(f"{operation!r} cannot meet {names!r}; choose from {KNOWN}")
        for operation, names in faults.items():
            self._planned[operation].extend(names)

    def take(self, operation: str) -> str:
        """The fault of this call, "" if it meets none."""
        planned = self._planned[operation]
        return planned.popleft() if planned else ""


def answer(fault: str) -> ApiError | None:
    """The answer that such a fault gives at once, None if the call goes on first."""
    match fault:
        case "401":
            return EnvelopeError(401, "UNAUTHORIZED", "Invalid or missing API key")
        case "403":
            return EnvelopeError(403, "FORBIDDEN", "Not in this plan")
        case "429":
            return too_many(1)
        case "500" | "503":
            return BareError(int(fault), "Service unavailable")
        case "garbage":
            return BareError(502, "<html><body>Bad gateway</body></html>", "text/html")
    return None
