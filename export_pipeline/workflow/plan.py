"""Plan: what would be ordered for a scan, how many calls that takes; nothing is sent or written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from export_pipeline.ledger import artifacts, summary
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import Artifact, ArtifactState, Scan, ScanState
from export_pipeline.vendors.artifacts import Availability, PlannedArtifact
from export_pipeline.vendors.vendor import Vendor

PLANNED_STATES = (ScanState.REGISTERED, ScanState.FAILED)
SCANS_PER_PAGE = 500
_ORDERED = (Availability.EXPECTED, Availability.UNKNOWN)
_SETTLED = (ArtifactState.VERIFIED, ArtifactState.ABSENT)


@dataclass
class Plan:
    """What would be ordered on one account.

    Args:
        scans: how many scans have something to order.
        empty: how many have nothing to order.
        calls: how many orders that is.
        kinds: (artifact kind, availability) -> how many artifacts.
    """

    scans: int = 0
    empty: int = 0
    calls: int = 0
    kinds: Counter[tuple[str, Availability]] = field(default_factory=Counter)

    def add(self, vendor: Vendor, planned: Sequence[PlannedArtifact]) -> None:
        """Count one scan."""
        wanted = [one for one in planned if one.availability in _ORDERED]
        self.scans += bool(wanted)
        self.empty += not wanted
        self.calls += len(vendor.parts(wanted)) if wanted else 0
        self.kinds.update((one.kind, one.availability) for one in planned)


def still_to_order(
    planned: Sequence[PlannedArtifact], known: Sequence[Artifact]
) -> list[PlannedArtifact]:
    """What of a scan's plan is not settled in its current generation."""
    settled = {one.name for one in known if one.state in _SETTLED}
    return [one for one in planned if one.name not in settled]


def plan_all(
    ledger: Ledger, vendors: dict[str, Vendor], limit: int | None
) -> dict[tuple[str, str], Plan]:
    """Plan registered and failed scans in order of registration, at most `limit`; by account."""
    plans: dict[tuple[str, str], Plan] = {}
    left = limit
    after = 0
    while left is None or left > 0:
        size = SCANS_PER_PAGE if left is None else min(left, SCANS_PER_PAGE)
        with ledger.read() as tx:
            page = summary.find_scans(tx, states=PLANNED_STATES, after=after, limit=size)
            for scan in page:
                vendor = vendors[scan.vendor]
                plan = plans.setdefault((scan.vendor, scan.account), Plan())
                plan.add(vendor, still_to_order(vendor.plan(scan), _known(tx, scan)))
        if len(page) < size:
            break
        after = page[-1].id
        left = None if left is None else left - size
    return plans


def _known(tx: Tx, scan: Scan) -> list[Artifact]:
    return artifacts.of_generation(tx, scan.id, scan.generation) if scan.generation else []
