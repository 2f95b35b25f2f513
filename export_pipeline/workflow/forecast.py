"""How long the queue and the backlog take at the quota: pure sums."""

from collections.abc import Iterable, Sequence

from export_pipeline.ledger.quotas import Quota
from export_pipeline.ledger.summary import Waiting


def seconds_per_call(quotas: Sequence[Quota]) -> float:
    """Seconds between two orders in the long run: the slowest quota decides."""
    return max((quota.interval for quota in quotas), default=0.0)


def seconds_for(calls: int, per_call: float, free_in: float = 0.0) -> float:
    """Seconds until the last of `calls` is sent, the first one in `free_in` seconds."""
    return 0.0 if calls == 0 else free_in + (calls - 1) * per_call


def expiring(line: Iterable[Waiting], *, now: float, per_call: float, free_in: float = 0.0) -> int:
    """How many scans end at the vendor before the turn of their order, one order after another.

    Args:
        line: in the order of their turns, a registered scan as one order.
        now: seconds since the epoch.
        per_call: see `seconds_per_call`.
        free_in: seconds until the first turn.
    """
    return len(
        {
            waiting.scan_id
            for turn, waiting in enumerate(line)
            if waiting.expires_at is not None
            and waiting.expires_at < now + free_in + turn * per_call
        }
    )
