"""What a scan has at a vendor: kinds of artifacts, and the files that are planned of each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO


class Availability(StrEnum):
    """What is known of an artifact before it is ordered."""

    EXPECTED = "expected"
    """The scan has it."""
    UNKNOWN = "unknown"
    """The scan may have it: asked for, and absent if the vendor refuses."""
    ABSENT = "absent"
    """The scan does not have it; `reason` says how that is known."""
    MISSING = "missing"
    """The scan has it, and it cannot be ordered; `reason` says why and what to do."""


@dataclass(frozen=True)
class ArtifactKind:
    """One asset of a vendor: `results` may be many files of a scan, the others are one.

    Args:
        name: the asset's name, e.g. `pdf_report`.
        description: one sentence for the UI.
        media_type: content type of its files.
        opener: reads a file from its start, returns what it learned (`{"pages": 3}`), raises
            `Unreadable` with the reason if the bytes are not what they should be.
    """

    name: str
    description: str
    media_type: str
    opener: Callable[[BinaryIO], dict[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class PlannedArtifact:
    """One file that a scan has, may have, or has not.

    Args:
        kind: name of its `ArtifactKind`.
        name: path below the bag's `data/`, escaped, e.g. `results/2a1b402420.json`.
        vendor_name: the vendor's own name for it, e.g. a result id; "" where it has none.
        availability: what is known of it.
        reason: why absent or missing; "" otherwise.
    """

    kind: str
    name: str
    vendor_name: str = ""
    availability: Availability = Availability.EXPECTED
    reason: str = ""
