"""What this CloudConvert saw and did, so that a test can prove what a client did."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Stats:
    """Counters since the start; `created` holds jobs and tasks made by calls, in turn."""

    calls: Counter[str] = field(default_factory=Counter)
    created: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    credentials_at_files: int = 0
    uploads_sent: int = 0
    uploads_refused: int = 0
    webhooks_sent: int = 0
    webhooks_retried: int = 0
    webhooks_given_up: int = 0
    webhooks_disabled: int = 0

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**asdict(self), "calls": dict(self.calls)}
