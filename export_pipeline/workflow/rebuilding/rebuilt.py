"""What a rebuilding of the ledger came to."""

from collections.abc import Iterable
from dataclasses import dataclass, field

NAMES_KEPT = 1_000
"""Folders of a kind that are named; all are counted."""


@dataclass
class Names:
    """Folders in the store to tell of, each with a word on it."""

    count: int = 0
    kept: list[tuple[str, str]] = field(default_factory=list)

    def add(self, folders: Iterable[tuple[str, str]]) -> None:
        """Count them all, and keep the first `NAMES_KEPT`."""
        for one in folders:
            self.count += 1
            if self.count <= NAMES_KEPT:
                self.kept.append(one)


@dataclass
class Rebuilt:
    """How far it is.

    Args:
        bags: sealed bags that were read.
        scans: scans of which the ledger lacked something.
        added: bags that it lacked.
        shown: scans that Dagster is to show again.
        audits: fixity records that were read.
        holds: legal holds in the store.
        tombstones: tombstones in the store.
        is_told: whether the key of the tombstones is at hand, so that forgotten scans are told.
        unsealed: generations without a seal that the ledger does not know.
        unreadable: bags and tables that were left out since they cannot be read.
        lost: bags that a catalog has, and the store not, or without a seal.
        differing: bags that the ledger has, and not as sealed.
        forgotten: scans that were forgotten, of which store or ledger still has something.
    """

    bags: int = 0
    scans: int = 0
    added: int = 0
    shown: int = 0
    audits: int = 0
    holds: int = 0
    tombstones: int = 0
    is_told: bool = True
    unsealed: Names = field(default_factory=Names)
    unreadable: Names = field(default_factory=Names)
    lost: Names = field(default_factory=Names)
    differing: Names = field(default_factory=Names)
    forgotten: Names = field(default_factory=Names)

    @property
    def needs_person(self) -> bool:
        """Whether somebody must look at what was found."""
        wrong = (self.unreadable, self.lost, self.differing, self.forgotten)
        return any(one.count for one in wrong) or not self.is_told
