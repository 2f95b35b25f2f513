"""What this Copyleaks saw and did, so that a test can prove what a client did."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class AcceptedOrder:
    """One accepted export call; `repeat` if its id had been accepted for the scan before."""

    account: str
    scan: str
    export: str
    artifacts: list[str]
    repeat: bool


@dataclass
class Stats:
    """Counters since the start; `orders` holds every accepted export call in turn."""

    logins: int = 0
    exports_accepted: int = 0
    exports_refused: int = 0
    uploads_sent: int = 0
    uploads_refused: int = 0
    uploads_retried: int = 0
    upload_bytes: int = 0
    completions_sent: int = 0
    completed_sent: int = 0
    webhooks_given_up: int = 0
    orders: list[AcceptedOrder] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)
