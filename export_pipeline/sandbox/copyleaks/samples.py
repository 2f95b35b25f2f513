"""Sample scans: ordinary ones, and one of each kind that is hard to archive."""

from collections.abc import Sequence
from dataclasses import replace

from export_pipeline.sandbox.copyleaks.orders import SINGLE_ARTIFACTS
from export_pipeline.sandbox.copyleaks.scans import ScanSpec

HOSTILE_ID = 'a/../b%2f;:"<x>'
WITHOUT_PDF = tuple(name for name in SINGLE_ARTIFACTS if name != "pdfReport")
# One `completed` webhook cannot be exported in one call of 1,000 results, nor in two.
MANY_RESULTS = 2_300
MANY_RESULTS_BYTES = 700
MOST_ORDINARY_RESULTS = 12
PREFIXES = ("essay", "thesis", "report", "paper", "homework")

HARD = (
    ScanSpec("thesis-many-results", MANY_RESULTS, sizes={"results": MANY_RESULTS_BYTES}),
    ScanSpec("essay-without-pdf", artifacts=WITHOUT_PDF),
    ScanSpec("essay-nothing-told", artifacts=WITHOUT_PDF, enabled=False),
    ScanSpec("essay-unhealthy-first", traits=("unhealthy_first:crawledVersion",)),
    ScanSpec("essay-lost-answer", traits=("lost_answer:aiDetection",)),
    ScanSpec(HOSTILE_ID),
    ScanSpec("essay-never-completes", traits=("no_completion",)),
    ScanSpec("essay-completes-twice", traits=("double_completion", "double_completed")),
)


def sample_scans(
    count: int = 25,
    status_url: str | None = None,
    status_headers: Sequence[tuple[str, str]] = (),
) -> list[ScanSpec]:
    """`count` scans, all with the same status webhook; from 9 on every hard one is among them."""
    hard = HARD if count > len(HARD) else ()
    ordinary = [_ordinary(number) for number in range(1, count - len(hard) + 1)]
    return [
        replace(spec, status_url=status_url, status_headers=tuple(status_headers))
        for spec in (*ordinary, *hard)
    ]


def _ordinary(number: int) -> ScanSpec:
    prefix = PREFIXES[number % len(PREFIXES)]
    results = 1 + number * 7 % MOST_ORDINARY_RESULTS
    return ScanSpec(f"{prefix}-2026-{number:04}", results)
