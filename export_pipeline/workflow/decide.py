"""What follows from what was seen: pure decisions, tested with plain values."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from export_pipeline.ledger.rows import Artifact, ArtifactState
from export_pipeline.vendors.artifacts import Availability

UNKNOWN_ATTEMPTS = 2
"""Orders for an artifact that the scan may not have: a second one for a passing fault, no more."""
DONE_WITH = (ArtifactState.VERIFIED, ArtifactState.ABSENT, ArtifactState.MISSING)
"""Artifacts of which nothing more is expected, whatever becomes of their scan."""


@dataclass(frozen=True)
class NextStep:
    """What becomes of artifacts that an order did not bring."""

    again: tuple[Artifact, ...] = ()
    absent: tuple[Artifact, ...] = ()
    missing: tuple[Artifact, ...] = ()


def spent(attempt: int, attempts: int) -> bool:
    """Whether `attempt` is the last one; `retry` by hand begins another series of `attempts`."""
    return attempt % attempts == 0


def after_undelivered(
    undelivered: Iterable[Artifact], *, attempt: int, attempts: int, others_arrived: bool
) -> NextStep:
    """Order again what is not in the store, until the attempts are spent.

    Args:
        undelivered: artifacts of one order that are not in the store. One with a reason was
            refused by our own store: that costs no attempt, since the vendor did bring it.
        attempt: which attempt that order was.
        attempts: how many there are.
        others_arrived: whether the vendor brought anything else of the scan. Only then does an
            artifact that the scan may not have count as absent: else nobody knows, since our own
            receiver or store may have been out of the vendor's reach.
    """
    again, absent, missing = [], [], []
    for artifact in undelivered:
        doubtful = artifact.availability == Availability.UNKNOWN and others_arrived
        if artifact.reason:
            again.append(artifact)
        elif doubtful and (attempt >= UNKNOWN_ATTEMPTS or spent(attempt, attempts)):
            absent.append(artifact)
        elif spent(attempt, attempts):
            missing.append(artifact)
        else:
            again.append(artifact)
    return NextStep(tuple(again), tuple(absent), tuple(missing))


def after_refusal(
    ordered: Sequence[Artifact], named_kinds: Sequence[str], vendor_names: Collection[str] = ()
) -> tuple[NextStep, list[list[Artifact]]]:
    """What to do when the vendor refuses an order as it is.

    Artifacts that the refusal names by `vendor_names`, of other kinds those that it names by kind,
    or the only artifact of the order, are settled: absent where the scan may not have them,
    missing where it should. Otherwise nothing tells which one is to
    blame: the certain ones are ordered together and each uncertain one alone, so that one
    refusal costs no artifact that the vendor would have given.

    Returns:
        The step for settled ones, and the artifacts of each order to place next.
    """
    uncertain = [one for one in ordered if one.availability == Availability.UNKNOWN]
    certain = [one for one in ordered if one.availability != Availability.UNKNOWN]
    singled_out = {one.kind for one in ordered if one.vendor_name in vendor_names}
    blamed = [
        one
        for one in ordered
        if one.vendor_name in vendor_names
        or (one.kind in named_kinds and one.kind not in singled_out)
    ]
    if not blamed and (len(ordered) == 1 or not uncertain):
        blamed = list(ordered)
    if blamed:
        rest = [one for one in ordered if one not in blamed]
        absent = tuple(one for one in blamed if one in uncertain)
        missing = tuple(one for one in blamed if one in certain)
        return NextStep(absent=absent, missing=missing), [rest] if rest else []
    return NextStep(), [part for part in [certain, *([one] for one in uncertain)] if part]


def all_settled(artifacts: Iterable[Artifact]) -> bool:
    """Whether nothing more is expected."""
    return all(one.state in DONE_WITH or one.state == ArtifactState.BROKEN for one in artifacts)


def kinds_settled(artifacts: Sequence[Artifact], touched: Iterable[str]) -> list[str]:
    """Those of the touched kinds of which every artifact is settled."""
    return [
        kind
        for kind in dict.fromkeys(touched)
        if all(one.state in DONE_WITH for one in artifacts if one.kind == kind)
    ]
