"""How far the demo's scans are, from the ledger alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export_pipeline.ledger import generations, orders, registry, summary
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import OrderState, Scan
from export_pipeline.scans import ScanKey

UNREGISTERED = "not registered"


@dataclass(frozen=True)
class Progress:
    """Where everything stands.

    Args:
        states: state of a scan -> how many.
        files: artifacts in sealed bags.
        size: their bytes.
        orders: orders made so far.
        sent: how many of them went to the vendor.
        unshown: settled things that Dagster has yet to be told.
    """

    states: Mapping[str, int]
    files: int
    size: int
    orders: int
    sent: int
    unshown: int

    @property
    def settled(self) -> int:
        """How many scans are settled, well or not."""
        return sum(self.states.get(state, 0) for state in registry.SETTLED)

    @property
    def is_done(self) -> bool:
        """Whether every scan is settled and Dagster shows it."""
        return not self.unshown and self.settled == sum(self.states.values())


def read_progress(tx: Tx, keys: Sequence[ScanKey]) -> Progress:
    """Read it."""
    found = find(tx, keys)
    files, size = generations.totals(tx)
    by_state = orders.count_by_state(tx)
    made = sum(by_state.values())
    return Progress(
        states=Counter(str(one.state) if one else UNREGISTERED for one in found.values()),
        files=files,
        size=size,
        orders=made,
        sent=made - by_state.get(OrderState.QUEUED, 0),
        unshown=summary.count_unreported(tx),
    )


def find(tx: Tx, keys: Sequence[ScanKey]) -> dict[ScanKey, Scan | None]:
    """Each scan, None if it is not registered."""
    found = registry.find_many(tx, keys)
    return {key: found.get(key) for key in keys}
