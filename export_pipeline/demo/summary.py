"""What became of the demo's scans."""

from collections.abc import Sequence
from dataclasses import dataclass

from export_pipeline.demo.progress import find
from export_pipeline.ledger import generations, orders, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import OrderState, Scan, ScanState
from export_pipeline.scans import ScanKey


@dataclass(frozen=True)
class Problem:
    """A scan that is not archived whole, and why."""

    scan: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """The counts are of scans; `failed` are all that are neither archived nor partial.

    Args:
        archive: URL of the store.
        seconds: from the start of the servers until everything was settled.
    """

    scans: int
    archived: int
    partial: int
    failed: int
    problems: Sequence[Problem]
    artifacts: int
    bytes: int
    archive: str
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether every scan is archived, or partial for a reason that is told."""
        told = {problem.scan for problem in self.problems if problem.reason}
        return self.failed == 0 and len(told) == self.partial


def read_summary(tx: Tx, keys: Sequence[ScanKey], *, archive: str, seconds: float) -> Summary:
    """Read it from the ledger."""
    found = find(tx, keys)
    states = [scan.state if scan else None for scan in found.values()]
    archived, partial = states.count(ScanState.ARCHIVED), states.count(ScanState.PARTIAL)
    files, size = generations.totals(tx)
    return Summary(
        scans=len(keys),
        archived=archived,
        partial=partial,
        failed=len(keys) - archived - partial,
        problems=[
            Problem(key.scan, _reason(tx, scan))
            for key, scan in found.items()
            if scan is None or scan.state != ScanState.ARCHIVED
        ],
        artifacts=files,
        bytes=size,
        archive=archive,
        seconds=round(seconds, 1),
    )


def _reason(tx: Tx, scan: Scan | None) -> str:
    if scan is None:
        return "not registered: its completed webhook did not come, or no sensor has read it"
    if scan.state in registry.SETTLED:
        return scan.reason
    open_orders = [
        f"order {order.id} is {order.state}, attempt {order.attempt}"
        + (f" ({order.reason})" if order.reason else "")
        for order in orders.of_scan(tx, scan.id)
        if order.state != OrderState.CLOSED
    ]
    return f"stuck as {scan.state}: {'; '.join(open_orders) or 'no order is open'}"
