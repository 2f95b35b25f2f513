"""How much of the archive each daily audit rereads, so that all of it has its turn in time."""

from dataclasses import dataclass

BAG_BYTES = 16_384
"""What a bag costs beside its payload, in bytes: about its tag files; so empty bags count too."""


@dataclass(frozen=True)
class Pace:
    """A rolling audit.

    Args:
        budget: bytes that one run rereads; a bag that is begun is finished.
        days: how many daily runs it takes to go round.
        needed: the budget by which it would take no longer than was asked for.
    """

    budget: int
    days: int
    needed: int

    @property
    def is_enough(self) -> bool:
        """Whether all is reread within the days that were asked for."""
        return self.budget >= self.needed


def cost(bags: int, payload_bytes: int) -> int:
    """Return what rereading costs, in bytes."""
    return payload_bytes + bags * BAG_BYTES


def pace(bags: int, payload_bytes: int, *, days: int, most: int | None) -> Pace:
    """Spread the archive over `days` runs of at most `most` bytes, None for any."""
    total = cost(bags, payload_bytes)
    needed = max(1, -(-total // days))
    budget = needed if most is None else min(needed, most)
    return Pace(budget=budget, days=-(-total // budget), needed=needed)
