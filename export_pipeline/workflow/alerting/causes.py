"""What a person should hear of, from the ledger: one cause for all scans that it holds up."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import groupby

from export_pipeline.ledger import inventory, troubles
from export_pipeline.ledger.alerts import Cause
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.inventory import Problems
from export_pipeline.ledger.rows import ScanState
from export_pipeline.ledger.troubles import NAMES, Trouble
from export_pipeline.vendors.redaction import redact
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow import commands
from export_pipeline.workflow.words import plural

LATE_SECONDS = 900.0
"""Past its deadline an order is closed within a minute or two, unless nothing runs or the store
fails."""
SILENT_SHARE = 0.5
"""Of EXPORT_ORDER_DEADLINE: an order accepted for so long without news is worth a look."""
LOST_SECONDS = 36 * 3_600.0
"""For so long a lost scan is told, which may stay lost for good: as long as a failed run is."""
REASONS_TOLD = 10
"""Reasons for failures of one account that are causes of their own; the rest is one."""
REASON_CHARACTERS = 400
_FAILED = "failed:"
_LOST = {
    ScanState.EXPIRED: ("gone", "gone at the vendor"),
    ScanState.PARTIAL: ("partial", "sealed without something"),
}
_VARYING = re.compile(r"[0-9a-f]{12,}|\d+", re.IGNORECASE)


def read_causes(tx: Tx, vendors: Mapping[str, Vendor], order_deadline: float) -> list[Cause]:
    """Everything that is wrong now.

    Args:
        tx: reads the ledger.
        vendors: those with their configured accounts: of others no login can be refused.
        order_deadline: seconds from the first turn until an order is given up.
    """
    configured = {(one.name, account) for one in vendors.values() for account in one.accounts}
    silence = order_deadline * SILENT_SHARE
    late = troubles.late_orders(tx, grace=LATE_SECONDS, silence=silence)
    return [
        *_refused(troubles.refused_logins(tx), configured),
        *_unusable(vendors.values()),
        *(_stuck(one, silence) for one in late),
        *(_damaged(one) for one in troubles.damaged(tx)),
        *_astray(inventory.noted(tx)),
        *(_lost(one) for one in troubles.lost(tx, list(vendors), seconds=LOST_SECONDS)),
        *_failed(alike(troubles.failures(tx, list(vendors), [ScanState.FAILED]))),
    ]


def alike(found: Sequence[Trouble]) -> list[Trouble]:
    """Put together what differs by numbers and ids alone, the largest first."""
    ordered = sorted(found, key=_kind_of)
    merged = [_together(list(some)) for _, some in groupby(ordered, _kind_of)]
    return sorted(merged, key=lambda one: (-one.count, _kind_of(one)))


def _kind_of(one: Trouble) -> tuple[str, str, str, str]:
    return one.vendor, one.account, one.kind, _VARYING.sub("#", one.key)


def _together(some: Sequence[Trouble]) -> Trouble:
    first = [key for one in some for key in one.first]
    return replace(some[0], count=sum(one.count for one in some), first=first[:NAMES])


def _refused(
    found: Sequence[troubles.Refused], configured: Collection[tuple[str, str]]
) -> Iterator[Cause]:
    for one in found:
        if (one.vendor, one.account) in configured:
            yield Cause(
                cause=f"login:{one.vendor}/{one.account}",
                title=f"{one.vendor} account {one.account} needs a person: nothing is sent on it",
                reason=in_brief(one.reason),
                command="export-pipeline check",
                count=1,
                names=[one.account],
            )


def _unusable(vendors: Iterable[Vendor]) -> Iterator[Cause]:
    """The accounts that are set wrongly: a cause for each reason, which may hold up several."""
    for vendor in vendors:
        by_reason = sorted(vendor.wrong, key=vendor.wrong.__getitem__)
        for reason, some in groupby(by_reason, vendor.wrong.__getitem__):
            names = list(some)
            are, them = ("is", "it") if len(names) == 1 else ("are", "them")
            count = plural(len(names), "account")
            yield Cause(
                cause=f"account:{vendor.name}/{names[0]}",
                title=f"{count} of {vendor.name} {are} set wrongly: nothing is sent on {them}",
                reason=in_brief(reason),
                command="export-pipeline check",
                count=len(names),
                names=names[:NAMES],
            )


def _stuck(one: Trouble, silence: float) -> Cause:
    since = {
        "late": "past their deadline and not closed",
        "silent": f"at the vendor for over {silence / 60:.0f} minutes without news",
    }
    return Cause(
        cause=f"{one.kind}:{one.vendor}/{one.account}",
        title=f"{_count(one, 'order')} stuck: {since[one.kind]}",
        reason=in_brief(one.reason),
        command=commands.show(one.first[0]),
        count=one.count,
        names=_names(one),
    )


def _damaged(one: Trouble) -> Cause:
    return Cause(
        cause=f"damage:{one.vendor}/{one.account}",
        title=f"{_count(one, 'sealed bag')} damaged",
        reason=in_brief(one.reason),
        command=commands.verify(one.first),
        count=one.count,
        names=_names(one),
    )


def _lost(one: Trouble) -> Cause:
    name, how = _LOST[ScanState(one.kind)]
    return Cause(
        cause=f"{name}:{one.vendor}/{one.account}",
        title=f"{_count(one, 'scan')} {how}",
        reason=in_brief(one.reason),
        command=commands.listed(one.vendor, one.account, one.kind),
        count=one.count,
        names=_names(one),
    )


def _astray(problems: Problems) -> Iterator[Cause]:
    if problems.count:
        yield Cause(
            cause="store",
            title=f"{plural(problems.count, 'problem')} in the store beside its sealed bags",
            reason="",
            command="export-pipeline verify --all",
            count=problems.count,
            names=[in_brief(one) for one in problems.first[:NAMES]],
        )


def _failed(found: Sequence[Trouble]) -> Iterator[Cause]:
    for account, some in groupby(sorted(found, key=_account), _account):
        every = sorted(some, key=lambda one: -one.count)
        yield from (_failure(one) for one in every[:REASONS_TOLD])
        if rest := every[REASONS_TOLD:]:
            yield replace(
                _failure(_together(rest)),
                cause=f"{_FAILED}{'/'.join(account)}",
                reason=f"{len(rest)} more reasons, of which the first: {in_brief(rest[0].reason)}",
            )


def _account(one: Trouble) -> tuple[str, str]:
    return one.vendor, one.account


def _failure(one: Trouble) -> Cause:
    digest = sha256("\0".join(_kind_of(one)).encode()).hexdigest()[:12]
    return Cause(
        cause=f"{_FAILED}{one.vendor}/{one.account}/{digest}",
        title=f"{_count(one, 'scan')} failed",
        reason=in_brief(one.reason),
        command=commands.retry(one.first, one.count),
        count=one.count,
        names=_names(one),
    )


def _count(one: Trouble, noun: str) -> str:
    some = f"{one.count:,} {noun}{'' if one.count == 1 else 's'}"
    return f"{some} of {one.vendor} account {one.account}"


def _names(one: Trouble) -> list[str]:
    return list(dict.fromkeys(key.scan for key in one.first))


def is_failure(cause: str) -> bool:
    """Whether the cause of that name is of scans that failed."""
    return cause.startswith(_FAILED)


def in_brief(text: str) -> str:
    """A reason as it may leave the house: on one line, not long, and of each URL its origin."""
    return " ".join(redact(text).split())[:REASON_CHARACTERS]
