"""Alerts: what is wrong, one row a cause, and which of it people were told.

A cause is told when it begins, once a day while it lasts, and when it is over. A message counts
as sent once the address took it: a crash before that sends it again.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger import cursors
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.schema import alerts

REPEAT_SECONDS = 24 * 3_600.0
CALM_SECONDS = 900.0
"""A cause is over when it was not seen for so long: a login that is refused is tried again every
few minutes, and in between nothing shows that it would be."""
FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 3_600.0
_LOOKED = "alerts looked for"


@dataclass(frozen=True)
class Cause:
    """Something wrong that a person should hear of, once for all scans that it holds up.

    Args:
        cause: its name, the same as long as it is the same thing.
        title: what is wrong, in half a sentence.
        reason: in whose words, such as the vendor's answer; without credentials.
        command: what to run.
        count: of the scans, orders or runs that it holds up.
        names: the first few of them.
    """

    cause: str
    title: str
    reason: str
    command: str
    count: int
    names: Sequence[str]


@dataclass(frozen=True)
class Alert(Cause):
    """A cause with what was told of it; times are seconds since the epoch.

    Args:
        began_at: when it was first seen.
        seen_at: when it was last seen.
        over: whether it is over, which is to be told.
        sent_at: when the address last took a message of it, None if it never did.
        failures: how often in a row the address did not.
        problem: why the last time, "" if it did.
    """

    began_at: float
    seen_at: float
    over: bool
    sent_at: float | None
    failures: int
    problem: str

    @property
    def pause(self) -> float:
        """Seconds until the next try if this one fails too."""
        return min(FIRST_PAUSE_SECONDS * 2.0**self.failures, LONGEST_PAUSE_SECONDS)


def note(tx: Tx, found: Sequence[Cause], *, is_told: bool) -> None:
    """Note which causes are there now; those not seen for `CALM_SECONDS` are over.

    Args:
        found: every cause that there is.
        is_told: whether there is an address to tell: where not, nothing is kept of what is over.
    """
    known = {row.cause: _alert(row) for row in tx.all(sa.select(alerts))}
    for cause in found:
        if cause.cause in known:
            _seen_again(tx, known[cause.cause], cause)
        else:
            _begin(tx, cause)
    calm = sa.and_(alerts.c.over.is_(False), alerts.c.seen_at < tx.now - CALM_SECONDS)
    # While the address fails, the end waits for its next try as the rest does.
    due_at = sa.case((alerts.c.failures > 0, alerts.c.due_at), else_=tx.now)
    tx.run(sa.update(alerts).where(calm).values(over=True, due_at=due_at))
    if not is_told:
        tx.run(sa.delete(alerts).where(alerts.c.over))
    cursors.save(tx, _LOOKED, tx.now)


def _begin(tx: Tx, cause: Cause) -> None:
    times = {"began_at": tx.now, "seen_at": tx.now, "due_at": tx.now}
    tx.run(sa.insert(alerts).values(**asdict(cause), **times))


def _seen_again(tx: Tx, known: Alert, cause: Cause) -> None:
    values: dict[str, Any] = {**asdict(cause), "seen_at": tx.now}
    if known.over:
        told = known.sent_at is not None
        values |= {"over": False, "due_at": (known.sent_at or 0) + REPEAT_SECONDS if told else 0}
    tx.run(sa.update(alerts).where(alerts.c.cause == cause.cause).values(**values))


def is_due(tx: Tx) -> bool:
    """Whether a message waits to be sent that nobody is sending."""
    return tx.one_or_none(sa.select(alerts.c.cause).where(_due(tx)).limit(1)) is not None


def take(tx: Tx, owner: str, seconds: float) -> Alert | None:
    """Lease the message that waits for longest, None if none does."""
    row = tx.one_or_none(sa.select(alerts).where(_due(tx)).order_by(alerts.c.due_at).limit(1))
    if row is None:
        return None
    lease = {"lease_owner": owner, "lease_until": tx.now + seconds}
    tx.run(sa.update(alerts).where(alerts.c.cause == row.cause).values(**lease))
    return _alert(row)


def sent(tx: Tx, alert: Alert, owner: str) -> None:
    """Note that the address took the message; it may have become untrue meanwhile."""
    mine = sa.and_(alerts.c.cause == alert.cause, alerts.c.lease_owner == owner)
    if alert.over:
        tx.run(sa.delete(alerts).where(mine, alerts.c.over))
    again = sa.case((alerts.c.over, tx.now), else_=tx.now + REPEAT_SECONDS)
    values = {"sent_at": tx.now, "due_at": again}
    if alert.over:  # it is back: told as a new one
        values = {"sent_at": None, "due_at": tx.now, "began_at": tx.now}
    well = {"failures": 0, "problem": "", "lease_owner": None, "lease_until": None}
    tx.run(sa.update(alerts).where(mine).values(**values, **well))


def failed(tx: Tx, alert: Alert, problem: str, pause: float) -> None:
    """Note why the address did not take the message: it rests, and whatever waits for it.

    The message goes last then, so that one that is never taken keeps no other back.
    """
    resting = tx.now + pause
    last = {"due_at": resting + 1.0, "lease_owner": None, "lease_until": None}
    tx.run(
        sa.update(alerts)
        .where(alerts.c.due_at < resting)
        .values(due_at=resting, failures=alerts.c.failures + 1, problem=problem)
    )
    tx.run(sa.update(alerts).where(alerts.c.cause == alert.cause).values(**last))


def known(tx: Tx) -> list[Alert]:
    """Every cause that lasts or whose end is to be told, oldest first."""
    return [_alert(row) for row in tx.all(sa.select(alerts).order_by(alerts.c.began_at))]


def looked_at(tx: Tx) -> float | None:
    """When causes were last looked for, None if never."""
    moment = cursors.load(tx, _LOOKED)
    return None if moment is None else float(moment)


def _due(tx: Tx) -> sa.ColumnElement[bool]:
    free = sa.or_(alerts.c.lease_until.is_(None), alerts.c.lease_until <= tx.now)
    return sa.and_(alerts.c.due_at <= tx.now, free)


def _alert(row: sa.Row[Any]) -> Alert:
    return Alert(**{name: getattr(row, name) for name in Alert.__dataclass_fields__})
