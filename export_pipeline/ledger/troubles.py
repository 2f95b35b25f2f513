"""What is wrong, grouped in the database: how much of each, and the first few by name."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.rows import GenerationState, OrderState, ScanState
from export_pipeline.ledger.schema import accounts, events, generations, orders, scans
from export_pipeline.scans import ScanKey

IS_DAMAGED = sa.and_(generations.c.state == GenerationState.SEALED, generations.c.damage != "")
LOST = (ScanState.PARTIAL, ScanState.EXPIRED)
NAMES = 3
GROUPS = 500
"""Most groups that one look returns, the largest first."""
NAME_CHARACTERS = 6
"""A shorter id may be a part of any word."""
FACTS = " (scan "
"""With what the facts of one scan begin at the end of an error (`errors.VendorError`)."""


@dataclass(frozen=True)
class Trouble:
    """Scans or orders of one account that have the same trouble.

    Args:
        kind: the scans' state, or what is wrong with the orders.
        key: the reason without what differs from scan to scan.
        reason: why, of the first of them.
        count: how many there are.
        first: the scans of the first `NAMES`.
    """

    vendor: str
    account: str
    kind: str
    key: str
    reason: str
    count: int
    first: Sequence[ScanKey]


@dataclass(frozen=True)
class Refused:
    """An account whose credentials need a person, and the vendor's words."""

    vendor: str
    account: str
    reason: str


def failures(tx: Tx, vendors: Sequence[str], states: Sequence[ScanState]) -> list[Trouble]:
    """Scans of the vendors in these states, by the reason without the facts of each scan."""
    found = sa.select(
        scans.c.id,
        scans.c.vendor,
        scans.c.account,
        scans.c.scan,
        scans.c.state.label("kind"),
        _common(tx).label("key"),
        scans.c.reason,
    )
    return _grouped(tx, found.where(scans.c.vendor.in_(vendors), scans.c.state.in_(states)))


def lost(tx: Tx, vendors: Sequence[str], *, seconds: float) -> list[Trouble]:
    """Scans that went at the vendor, or were sealed without something, in the last `seconds`.

    Their kinds are their states.
    """
    newest_event = (
        sa.select(events.c.at)
        .where(events.c.scan_id == scans.c.id)
        .order_by(events.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = sa.select(
        scans.c.id,
        scans.c.vendor,
        scans.c.account,
        scans.c.scan,
        scans.c.state.label("kind"),
        sa.literal("").label("key"),
        scans.c.reason,
    ).where(scans.c.vendor.in_(vendors), scans.c.state.in_(LOST))
    return _grouped(tx, found.where(newest_event >= tx.now - seconds))


def late_orders(tx: Tx, *, grace: float, silence: float) -> list[Trouble]:
    """Open orders `grace` seconds past their deadline, or sent `silence` seconds ago to no avail.

    Their kinds are `late` and `silent`.
    """
    is_late = orders.c.deadline < tx.now - grace
    is_silent = sa.and_(orders.c.state == OrderState.WAITING, orders.c.sent_at < tx.now - silence)
    found = sa.select(
        orders.c.id,
        orders.c.vendor,
        orders.c.account,
        scans.c.scan,
        sa.case((is_late, "late"), else_="silent").label("kind"),
        sa.literal("").label("key"),
        orders.c.reason,
    ).join(scans, scans.c.id == orders.c.scan_id)
    states = [state for state in OrderState if state != OrderState.CLOSED]
    return _grouped(tx, found.where(orders.c.state.in_(states), sa.or_(is_late, is_silent)))


def damaged(tx: Tx) -> list[Trouble]:
    """Sealed generations in which the last audit found damage."""
    found = sa.select(
        generations.c.scan_id.label("id"),
        scans.c.vendor,
        scans.c.account,
        scans.c.scan,
        sa.literal("damaged").label("kind"),
        sa.literal("").label("key"),
        generations.c.damage.label("reason"),
    ).join(scans, scans.c.id == generations.c.scan_id)
    return _grouped(tx, found.where(IS_DAMAGED))


def count_damaged(tx: Tx) -> int:
    """How many sealed generations those are."""
    query = sa.select(sa.func.count()).select_from(generations).where(IS_DAMAGED)
    return int(tx.connection.execute(query).scalar_one())


def damage(tx: Tx, scan_ids: Sequence[int]) -> dict[int, list[str]]:
    """What audits found of those of the scans, by row id, that are damaged, a sentence each."""
    found: dict[int, list[str]] = defaultdict(list)
    query = sa.select(generations.c.scan_id, generations.c.damage).where(IS_DAMAGED)
    for some in in_chunks(scan_ids):
        of_some = query.where(generations.c.scan_id.in_(some))
        for row in tx.all(of_some.order_by(generations.c.scan_id, generations.c.number)):
            found[row.scan_id] += row.damage.splitlines()
    return found


def refused_logins(tx: Tx) -> list[Refused]:
    """Accounts whose last rest asked for a person, with no order taken by the vendor since."""
    answered = (OrderState.WAITING, OrderState.COMPLETED, OrderState.CLOSED)
    taken = sa.exists().where(
        orders.c.state.in_(answered),
        orders.c.vendor == accounts.c.vendor,
        orders.c.account == accounts.c.account,
        orders.c.sent_at >= accounts.c.cooldown_until,
    )
    query = sa.select(accounts).where(accounts.c.cooldown_needs_person, ~taken)
    rows = tx.all(query.order_by(accounts.c.vendor, accounts.c.account))
    return [Refused(row.vendor, row.account, row.cooldown_reason) for row in rows]


def _grouped(tx: Tx, found: sa.Select[tuple[object, ...]]) -> list[Trouble]:
    rows = found.subquery()
    group = (rows.c.vendor, rows.c.account, rows.c.kind, rows.c.key)
    counted = sa.select(
        rows,
        sa.func.count().over(partition_by=group).label("count_of_group"),
        sa.func.row_number().over(partition_by=group, order_by=rows.c.id).label("place"),
    ).subquery()
    largest = (
        sa.select(counted)
        .where(counted.c.place <= NAMES)
        .order_by(counted.c.count_of_group.desc(), *(counted.c[one.name] for one in group))
        .order_by(counted.c.place)
        .limit(GROUPS * NAMES)
    )
    by_group = groupby(tx.all(largest), lambda row: (row.vendor, row.account, row.kind, row.key))
    return [_trouble(list(first)) for _, first in by_group]


def _trouble(first: Sequence[sa.Row[tuple[object, ...]]]) -> Trouble:
    one = first[0]
    names = [ScanKey(row.vendor, row.account, row.scan) for row in first]
    group = (one.vendor, one.account, one.kind, one.key)
    return Trouble(*group, one.reason, one.count_of_group, names)


def _common(tx: Tx) -> sa.ColumnElement[str]:
    """A scan's reason without the facts at its end and without the scan's id."""
    reason, name = scans.c.reason, scans.c.scan
    locate = {"sqlite": sa.func.instr, "postgresql": sa.func.strpos}[tx.connection.dialect.name]
    at = locate(reason, FACTS)
    head = sa.case((at > 0, sa.func.substr(reason, 1, at - 1)), else_=reason)
    is_name = sa.func.length(name) >= NAME_CHARACTERS
    return sa.case((is_name, sa.func.replace(head, name, "#")), else_=head)
