"""The report's figures: everything that it shows, read at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export_pipeline.ledger import audits, figures, troubles
from export_pipeline.ledger.audits import SealedBag
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.figures import BagFinding, Durations, Ending, SealedDay, StateCount
from export_pipeline.ledger.rows import ScanState
from export_pipeline.ledger.troubles import Trouble
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow import commands
from export_pipeline.workflow.alerting.causes import alike, in_brief
from export_pipeline.workflow.status import Status, read_status

DURATION_DAYS = 30
ENDING_DAYS = 7
LISTED = 20
"""Of damaged bags and of scans that end soon; their counts are whole."""
REASONS_LISTED = 50
LOST = (ScanState.FAILED, ScanState.PARTIAL, ScanState.EXPIRED)
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Failure:
    """Scans that are not archived whole, for one reason, and the command that mends it.

    Args:
        reason: why, of the first of them.
        common: the reason without what names a scan.
        command: "" where nothing brings them back.
        command_for_all: the same for all scans of the account, naming none.
    """

    vendor: str
    account: str
    state: str
    reason: str
    common: str
    scans: int
    names: Sequence[str]
    command: str
    command_for_all: str


@dataclass(frozen=True)
class Figures:
    """What the report shows; moments are seconds since the epoch.

    Args:
        at: when it was read.
        status: what `status` tells.
        states: scans by vendor and state.
        days: what was sealed, by day.
        durations: from order to seal, of the last `DURATION_DAYS`.
        oldest: the bag verified longest ago, None without any.
        never_audited: bags that were verified when they were sealed and never again.
        bags: how many are sealed.
        damaged: the first of those with damage.
        damaged_count: how many there are.
        failures: the largest first.
        ending: the first of those that end at the vendor within `ENDING_DAYS`.
        ending_count: how many there are.
    """

    at: float
    status: Status
    states: Sequence[StateCount]
    days: Sequence[SealedDay]
    durations: Sequence[Durations]
    oldest: SealedBag | None
    never_audited: int
    bags: int
    damaged: Sequence[BagFinding]
    damaged_count: int
    failures: Sequence[Failure]
    ending: Sequence[Ending]
    ending_count: int


def read_figures(tx: Tx, vendors: Mapping[str, Vendor]) -> Figures:
    """Read them, from the ledger alone."""
    until = tx.now + ENDING_DAYS * _DAY_SECONDS
    lost = alike(troubles.failures(tx, list(vendors), LOST))
    return Figures(
        at=tx.now,
        status=read_status(tx, vendors),
        states=figures.states(tx),
        days=figures.sealed_days(tx),
        durations=figures.durations(tx, since=tx.now - DURATION_DAYS * _DAY_SECONDS),
        oldest=next(iter(audits.oldest(tx, before=tx.now + 1.0, limit=1)), None),
        never_audited=figures.count_never_audited(tx),
        bags=audits.size(tx).bags,
        damaged=figures.damaged(tx, LISTED),
        damaged_count=sum(one.count for one in troubles.damaged(tx)),
        failures=[_failure(one) for one in lost[:REASONS_LISTED]],
        ending=figures.soonest_ending(tx, until, LISTED),
        ending_count=figures.count_ending(tx, until),
    )


def _failure(one: Trouble) -> Failure:
    is_lost, sealed = one.kind == ScanState.EXPIRED, one.kind == ScanState.PARTIAL
    named = commands.retry(one.first, one.count, sealed=sealed)
    for_all = commands.retry_all(one.vendor, one.account, sealed=sealed)
    return Failure(
        vendor=one.vendor,
        account=one.account,
        state=one.kind,
        reason=in_brief(one.reason),
        common=in_brief(one.key),
        scans=one.count,
        names=[key.scan for key in one.first],
        command="" if is_lost else named,
        command_for_all="" if is_lost else for_all,
    )
