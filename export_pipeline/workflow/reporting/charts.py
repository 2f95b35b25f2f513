"""Where the marks of the report's charts lie: pure, in the units of an SVG's viewBox."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from export_pipeline.ledger.figures import SealedDay, StateCount
from export_pipeline.ledger.rows import ScanState

BARS = 60
"""Most bars over time: more days than that share bars."""
WIDTH, HEIGHT = 720.0, 160.0
GAP = 0.15
"""Of a bar's place that stays empty."""


@dataclass(frozen=True)
class Bar:
    """What was sealed on the days from `first` to `last` (since the epoch), both of them."""

    first: int
    last: int
    bags: int
    bytes: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Timeline:
    """Bytes over time, as bars and as the line of their sum.

    Args:
        highest: bytes of the highest bar.
        total: bytes where the line ends, at the top.
        line: points of it, as an SVG's polyline has them.
    """

    bars: Sequence[Bar]
    highest: int
    total: int
    line: str


def timeline(days: Sequence[SealedDay], today: int) -> Timeline | None:
    """Lay out what was sealed from the first of `days` until today; None if nothing was."""
    if not days:
        return None
    first = days[0].day
    span = -(-(max(today, days[-1].day) - first + 1) // BARS)
    places = (max(today, days[-1].day) - first) // span + 1
    sealed = [(0, 0)] * places
    for place, some in groupby(days, lambda one: (one.day - first) // span):
        held = list(some)
        sealed[place] = sum(one.bags for one in held), sum(one.bytes for one in held)
    highest, total = max(size for _, size in sealed), sum(size for _, size in sealed)
    step, bars, points, so_far = WIDTH / places, [], [f"0,{HEIGHT:g}"], 0
    for place, (bags, size) in enumerate(sealed):
        height = HEIGHT * size / max(highest, 1)
        begins = first + place * span
        last = min(begins + span - 1, max(today, begins))
        at = step * (place + GAP / 2)
        bars.append(Bar(begins, last, bags, size, at, HEIGHT - height, step * (1 - GAP), height))
        so_far += size
        points.append(f"{step * (place + 1):.1f},{HEIGHT * (1 - so_far / max(total, 1)):.1f}")
    return Timeline(bars, highest, total, " ".join(points))


@dataclass(frozen=True)
class Piece:
    """A part of a vendor's bar: its scans in one state."""

    state: ScanState
    scans: int
    x: float
    width: float


def stacks(counts: Sequence[StateCount]) -> dict[str, Sequence[Piece]]:
    """For each vendor its scans by state, as parts of a bar of the whole width."""
    found: dict[str, Sequence[Piece]] = {}
    for vendor, some in groupby(sorted(counts, key=lambda one: one.vendor), lambda one: one.vendor):
        by_state = {one.state: one.scans for one in some}
        total, x, pieces = sum(by_state.values()), 0.0, []
        for state in ScanState:
            width = WIDTH * by_state.get(state, 0) / total
            if width:
                pieces.append(Piece(state, by_state[state], x, width))
            x += width
        found[vendor] = pieces
    return found
