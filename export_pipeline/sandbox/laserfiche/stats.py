"""What this Laserfiche saw and did, so that a test can prove what a client did."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class AcceptedOrder:
    """One export that began: of which entry, which part, and its task; "" if the caller waited."""

    entry: int
    part: str
    task: str


@dataclass
class Stats:
    """Counters since the start; `orders` holds every export that began, in turn."""

    logins: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    most_tasks_asked: int = 0
    questions_without_ids: int = 0
    credentials_at_files: int = 0
    orders: list[AcceptedOrder] = field(default_factory=list)

    def asked(self, tasks: int) -> None:
        """Note a question after so many tasks."""
        self.most_tasks_asked = max(self.most_tasks_asked, tasks)
        self.questions_without_ids += tasks == 0

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**asdict(self), "calls": dict(self.calls)}
