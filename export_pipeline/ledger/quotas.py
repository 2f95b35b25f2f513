"""Vendors' limits, held by any number of processes together through the ledger.

A claim is a point in time at which one call may be sent. Claims are never refunded: a process
that dies with one has used it, and the vendor's limit still holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.schema import accounts, quotas

PACING_MARGIN = 1.015
"""Claims are this much further apart than the limit says. A window of n calls then has 1.5% of
its length for the network's jitter, and 98.5% of the quota is used."""

AHEAD_SECONDS = 600.0
"""Nobody claims a call so far ahead: a minute at most, a turn later for each sender beside it."""


@dataclass(frozen=True)
class Quota:
    """A vendor's limit: `limit` calls in any `window_seconds`, at most `burst` of them at once."""

    name: str
    limit: int
    window_seconds: float
    burst: int = 1

    @property
    def interval(self) -> float:
        """Seconds between claims in the long run: with a burst in hand, the rest is spread."""
        return self.window_seconds * PACING_MARGIN / (self.limit - self.burst + 1)

    @property
    def allowance(self) -> float:
        """Seconds before `next_at`, when the bucket is full again, that the burst may take."""
        return (self.burst - 1) * self.interval

    @property
    def tolerance(self) -> float:
        """Seconds a claim may be used late before it could crowd the claims after it."""
        return self.window_seconds * (PACING_MARGIN - 1) / 2

    def is_ahead_of(self, now: float, next_at: float) -> bool:
        """Whether the clock was set back since `next_at` was noted."""
        return next_at - self.allowance > now + AHEAD_SECONDS + 2 * self.window_seconds


def claim(tx: Tx, vendor: str, account: str, wanted: Sequence[Quota]) -> float:
    """Claim one call of each quota at one moment, and return it (seconds since the epoch).

    The moment is never before the account's cooldown ends. Where the clock was set back, it is one
    whole window away, since nobody knows when the last calls were. The caller sleeps until then,
    and claims anew if it wakes later than `Quota.tolerance` after it.

    A cooldown may begin while the caller sleeps: it asks `cooldown` again before it sends.
    """
    rows = {quota.name: _row(tx, vendor, account, quota.name) for quota in wanted}
    moment = max(tx.now, cooldown(tx, vendor, account).until)
    for quota in wanted:
        if quota.is_ahead_of(tx.now, rows[quota.name]):
            rows[quota.name] = tx.now + quota.window_seconds + quota.allowance
        moment = max(moment, rows[quota.name] - quota.allowance)
    for quota in wanted:
        used = max(rows[quota.name], moment) + quota.interval
        tx.run(_grant(vendor, account, quota.name, used))
    return moment


@prepared
def _grant(vendor: str, account: str, name: str, used: float) -> sa.Update:
    change = sa.update(quotas).where(_is(vendor, account, name))
    return change.values(next_at=used, granted=quotas.c.granted + 1)


def granted(tx: Tx, vendor: str, account: str, name: str) -> int:
    """How many calls of this quota were ever claimed."""
    row = tx.one_or_none(_quota(vendor, account, name))
    return 0 if row is None else int(row.granted)


def next_free(tx: Tx, vendor: str, account: str, quota: Quota) -> float:
    """When the next claim of this quota would be due, without claiming it."""
    row = tx.one_or_none(_quota(vendor, account, quota.name))
    if row is None or quota.is_ahead_of(tx.now, row.next_at):
        return tx.now
    return max(tx.now, float(row.next_at) - quota.allowance)


def cool_down(
    tx: Tx, vendor: str, account: str, seconds: float, reason: str, *, needs_person: bool = False
) -> None:
    """Let no process send anything on the account for `seconds` (a 429, a refused login).

    Args:
        reason: what the vendor answered, and what to do.
        needs_person: whether waiting alone does not mend it.
    """
    until = tx.now + seconds
    if until <= cooldown(tx, vendor, account).until:
        return
    values = {
        "cooldown_until": until,
        "cooldown_reason": reason,
        "cooldown_needs_person": needs_person,
    }
    changed = tx.run(
        sa.update(accounts)
        .where(accounts.c.vendor == vendor, accounts.c.account == account)
        .values(**values)
    )
    if not changed:
        tx.run(sa.insert(accounts).values(vendor=vendor, account=account, **values))


def mended(tx: Tx, vendor: str, account: str) -> None:
    """Forget a rest that asked for a person: the credentials were tried, and they work."""
    tx.run(
        sa.update(accounts)
        .where(
            accounts.c.vendor == vendor,
            accounts.c.account == account,
            accounts.c.cooldown_needs_person,
        )
        .values(cooldown_until=None, cooldown_reason="", cooldown_needs_person=False)
    )


class Cooldown(NamedTuple):
    """A rest of an account, over already where `until` is 0; see `cool_down`."""

    until: float = 0.0
    reason: str = ""
    needs_person: bool = False


def cooldown(tx: Tx, vendor: str, account: str) -> Cooldown:
    """The rest that the account is in."""
    row = tx.one_or_none(_cooldown(vendor, account))
    if row is None or row.cooldown_until is None or row.cooldown_until <= tx.now:
        return Cooldown()
    return Cooldown(*row)


@prepared
def _cooldown(vendor: str, account: str) -> sa.Select[Any]:
    columns = (
        accounts.c.cooldown_until,
        accounts.c.cooldown_reason,
        accounts.c.cooldown_needs_person,
    )
    return sa.select(*columns).where(accounts.c.vendor == vendor, accounts.c.account == account)


def _row(tx: Tx, vendor: str, account: str, name: str) -> float:
    row = tx.one_or_none(_quota(vendor, account, name))
    if row is not None:
        return float(row.next_at)
    tx.run(
        sa.insert(quotas).values(
            vendor=vendor, account=account, name=name, next_at=tx.now, granted=0
        )
    )
    return tx.now


@prepared
def _quota(vendor: str, account: str, name: str) -> sa.Select[Any]:
    return sa.select(quotas.c.next_at, quotas.c.granted).where(_is(vendor, account, name))


def _is(vendor: str, account: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(quotas.c.vendor == vendor, quotas.c.account == account, quotas.c.name == name)
