"""What happened between two looks at the status: pure differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export_pipeline.ledger.rows import ScanState
from export_pipeline.workflow.status import Status

SEALED = (ScanState.ARCHIVED, ScanState.PARTIAL)
LOST = (ScanState.FAILED, ScanState.EXPIRED)


@dataclass(frozen=True)
class Calls:
    """Calls granted of one quota."""

    vendor: str
    account: str
    quota: str
    granted: int


@dataclass(frozen=True)
class Rates:
    """What changed in `seconds`; below 0 where scans were ordered again or forgotten.

    Args:
        sealed: scans that are archived or partial.
        lost: scans that failed or expired at the vendor.
        sealed_files: files in sealed bags.
        sealed_bytes: their bytes.
        calls: of each quota.
    """

    seconds: float
    sealed: int
    lost: int
    sealed_files: int
    sealed_bytes: int
    calls: Sequence[Calls]

    def per_minute(self, count: float) -> float:
        """The same as a rate, 0 before any time passed."""
        return 60.0 * count / self.seconds if self.seconds > 0 else 0.0


def rates(first: Status, last: Status, seconds: float) -> Rates:
    """What changed from the first look to the last."""
    before = _granted(first)
    return Rates(
        seconds=seconds,
        sealed=_sum(last.scans, SEALED) - _sum(first.scans, SEALED),
        lost=_sum(last.scans, LOST) - _sum(first.scans, LOST),
        sealed_files=last.sealed_files - first.sealed_files,
        sealed_bytes=last.sealed_bytes - first.sealed_bytes,
        calls=[
            Calls(*name, granted - before.get(name, 0)) for name, granted in _granted(last).items()
        ],
    )


def _sum(counts: Mapping[str, int], states: Sequence[ScanState]) -> int:
    return sum(counts.get(state, 0) for state in states)


def _granted(status: Status) -> dict[tuple[str, str, str], int]:
    return {
        (account.vendor, account.account, quota.name): quota.granted
        for account in status.accounts
        for quota in account.quotas
    }
