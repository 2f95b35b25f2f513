"""Scans that are hard to archive, and what must be true of each whatever was killed meanwhile."""

from collections import Counter

import bagit

from export_pipeline.ledger.rows import ScanState
from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.workflow.world import World

WITHOUT_PDF = ("crawledVersion", "aiDetection", "overview")
TRAITS = ("unhealthy_first:crawledVersion", "corrupt_first:aiDetection", "double_completion")
TWICE = {"crawledVersion", "aiDetection"}
"""What such a scan's vendor brings only when asked a second time."""


def hard(name: str) -> ScanSpec:
    """A scan whose way takes every branch: refused, unhealthy, corrupt, told twice."""
    return ScanSpec(name, results=1, artifacts=WITHOUT_PDF, traits=TRAITS, enabled=False)


def completed(place: World, spec: ScanSpec) -> str:
    """Have the vendor finish a scan."""
    place.create([spec])
    place.complete([spec.id])
    return spec.id


def prove(place: World, name: str) -> None:
    """Sealed, in full, and nothing asked for twice but what the vendor failed to bring."""
    assert place.scan(name).state == ScanState.ARCHIVED, place.scan(name).reason
    assert place.stored(name) == place.recorded(name)
    bagit.Bag(str(place.bag(name))).validate()
    once_each = {tuple(one) for one in _accepted(place, name).values()}
    asked = Counter(artifact for artifacts in once_each for artifact in artifacts)
    assert {one for one, count in asked.items() if count > 1} <= TWICE
    _prove_orders(place, name)


def _accepted(place: World, name: str) -> dict[str, list[str]]:
    """What the vendor accepted, by id: the same id may come twice, it is one order."""
    every = place.sandbox.stats()["orders"]
    return {one["export"]: sorted(one["artifacts"]) for one in every if one["scan"] == name}


def _prove_orders(place: World, name: str) -> None:
    """No two orders of an attempt ask for one artifact."""
    accepted = _accepted(place, name)
    known = {order.id: order for order in place.orders(name)}
    asked = Counter(
        (known[order].generation, known[order].attempt, artifact)
        for order, artifacts in accepted.items()
        for artifact in artifacts
    )
    assert set(asked.values()) == {1}
