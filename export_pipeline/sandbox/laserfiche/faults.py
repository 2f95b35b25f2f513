"""Faults that a test plans: each of the next calls of an operation meets one."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence

from export_pipeline.sandbox.laserfiche.errors import BareError, ProblemError, too_many
from export_pipeline.sandbox.routing import ApiError

OPERATIONS = ("login", "entry", "export", "start", "tasks", "children", "search", "reasons", "file")
DROP = "drop"
"""The call does its work, and its answer is lost."""
CUT = "cut"
"""The file's connection breaks half way."""
FOREIGN = "foreign"
"""The next page is said to lie at another origin."""
FAULTS = ("401", "403", "404", "408", "429", "500", "503", "garbage", DROP, CUT, FOREIGN)


class Faults:
    """What is planned, by operation."""

    def __init__(self) -> None:
        self._planned: defaultdict[str, deque[str]] = defaultdict(deque)

    def plan(self, faults: Mapping[str, Sequence[str]]) -> None:
        """Let the next calls of each operation meet these; raises ValueError on unknown ones."""
        for operation, names in faults.items():
            if operation not in OPERATIONS or not set(names) <= set(FAULTS):
                raise ValueError(f"faults of {OPERATIONS} are {FAULTS}")
        for operation, names in faults.items():
            self._planned[operation].extend(names)

    def take(self, operation: str) -> str:
        """The fault of this call, "" if it meets none."""
        planned = self._planned[operation]
        return planned.popleft() if planned else ""


def answer(fault: str) -> ApiError | None:
    """The answer that such a fault gives at once, None if the call goes on first."""
    if fault == "429":
        return too_many("Rate limit is reached.", 1)
    if fault == "garbage":
        return BareError(502, "<html><body>Bad gateway</body></html>", "text/html")
    return ProblemError(int(fault), "A fault that was planned.") if fault.isdigit() else None
