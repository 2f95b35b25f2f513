"""Scans in the ledger: registered, admitted to Dagster, settled, retired."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from json import dumps, loads
from typing import Any

import sqlalchemy as sa

from export_pipeline.errors import UnknownScan
from export_pipeline.ledger import events
from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.orders import NEVER
from export_pipeline.ledger.reports import unreported_scans
from export_pipeline.ledger.rows import OrderState, QueueClass, Scan, ScanState
from export_pipeline.ledger.schema import orders, scans
from export_pipeline.scans import ScanKey

SETTLED = (ScanState.ARCHIVED, ScanState.PARTIAL, ScanState.FAILED, ScanState.EXPIRED)
RETIRED = (ScanState.ARCHIVED, ScanState.PARTIAL, ScanState.EXPIRED)
"""What makes room for others in Dagster: a failed scan stays in sight, somebody must act."""


def register(
    tx: Tx,
    key: ScanKey,
    *,
    source: str,
    details: dict[str, Any] | None = None,
    expires_at: float | None = None,
) -> tuple[Scan, bool]:
    """Add the scan, or add what is newly known to it; return it and whether anything changed."""
    known = find(tx, key)
    if known is None:
        return _insert(tx, key, source, details or {}, expires_at), True
    # As JSON gives it back, else a tuple would be news each time.
    merged = _merged(known.details, loads(dumps(details or {})))
    expires_at = expires_at if expires_at is not None else known.expires_at
    if merged == known.details and expires_at == known.expires_at:
        return known, False
    change = sa.update(scans).where(scans.c.id == known.id)
    tx.run(change.values(details=merged, expires_at=expires_at))
    events.record(tx, known.id, "registered again", source=source)
    return get(tx, key), True


def _merged(known: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """What is known with what was told laid over it; told None says nothing, at any depth."""
    merged = dict(known)
    for name, value in told.items():
        if isinstance(value, dict) and isinstance(known.get(name), dict):
            merged[name] = _merged(known[name], value)
        elif value is not None:
            merged[name] = value
    return merged


def _insert(
    tx: Tx, key: ScanKey, source: str, details: dict[str, Any], expires_at: float | None
) -> Scan:
    tx.run(
        sa.insert(scans).values(
            vendor=key.vendor,
            account=key.account,
            scan=key.scan,
            state=ScanState.REGISTERED,
            reason="",
            source=source,
            details=details,
            generation=0,
            registered_at=tx.now,
            expires_at=expires_at,
            activate=False,
        )
    )
    scan = get(tx, key)
    events.record(tx, scan.id, "registered", source=source)
    return scan


def find(tx: Tx, key: ScanKey) -> Scan | None:
    """The scan, None if the ledger does not have it."""
    row = tx.one_or_none(
        sa.select(scans).where(
            scans.c.vendor == key.vendor,
            scans.c.account == key.account,
            scans.c.scan == key.scan,
        )
    )
    return None if row is None else to_scan(row)


def find_many(tx: Tx, keys: Sequence[ScanKey]) -> dict[ScanKey, Scan]:
    """Those of the scans that the ledger has."""
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key in keys:
        names[key.vendor, key.account].append(key.scan)
    found: dict[ScanKey, Scan] = {}
    for (vendor, account), ids in names.items():
        of_account = sa.select(scans).where(scans.c.vendor == vendor, scans.c.account == account)
        for some in in_chunks(ids):
            rows = tx.all(of_account.where(scans.c.scan.in_(some)))
            found.update({scan.key: scan for scan in map(to_scan, rows)})
    return found


def get(tx: Tx, key: ScanKey) -> Scan:
    """The scan.

    Raises:
        UnknownScan: the ledger does not have it.
    """
    scan = find(tx, key)
    if scan is None:
        raise UnknownScan(
            f"the ledger has no scan {key.scan!r} of {key.vendor} account {key.account!r}:"
            " register it with `export-pipeline scans import`"
        )
    return scan


def by_id(tx: Tx, scan_id: int) -> Scan:
    """The scan with this row id, which some other row refers to."""
    return to_scan(tx.connection.execute(sa.select(scans).where(scans.c.id == scan_id)).one())


def by_ids(tx: Tx, scan_ids: Sequence[int]) -> list[Scan]:
    """The scans with these row ids."""
    found: list[Scan] = []
    for ids in in_chunks(scan_ids):
        found += [to_scan(row) for row in tx.all(sa.select(scans).where(scans.c.id.in_(ids)))]
    return found


def page(
    tx: Tx, vendor: str | None, states: Iterable[ScanState], *, after: int = 0, limit: int = 1000
) -> list[Scan]:
    """Scans in these states in order of registration, beyond row id `after`."""
    query = sa.select(scans).where(scans.c.state.in_(list(states)), scans.c.id > after)
    if vendor is not None:
        query = query.where(scans.c.vendor == vendor)
    return [to_scan(row) for row in tx.all(query.order_by(scans.c.id).limit(limit))]


def soonest_to_expire(tx: Tx, vendor: str, limit: int) -> list[Scan]:
    """Registered scans that nobody has ordered, those first that the vendor deletes first."""
    query = (
        sa.select(scans)
        .where(scans.c.vendor == vendor, scans.c.state == ScanState.REGISTERED)
        .order_by(scans.c.expires_at.is_(None), scans.c.expires_at, scans.c.id)
        .limit(limit)
    )
    return [to_scan(row) for row in tx.all(query)]


def settle(tx: Tx, scan_id: int, state: ScanState, reason: str = "") -> None:
    """Set where the scan stands, with the reason that people will read."""
    tx.run(sa.update(scans).where(scans.c.id == scan_id).values(state=state, reason=reason))


def set_generation(tx: Tx, scan_id: int, number: int) -> None:
    """Make this generation the scan's current one, with an order open for it."""
    change = sa.update(scans).where(scans.c.id == scan_id)
    tx.run(change.values(generation=number, state=ScanState.ORDERED, reason=""))


def activate(tx: Tx, scan_id: int) -> None:
    """Ask that the scan's partition is added at the next tick, whatever its age."""
    tx.run(sa.update(scans).where(scans.c.id == scan_id).values(activate=True))


def admit(tx: Tx, vendor: str, *, active_limit: int, chunk: int) -> list[Scan]:
    """Choose up to `chunk` scans for a partition key and mark them admitted.

    Those asked for by `activate` and those ordered by hand go first and ignore the limit; others
    as long as fewer than `active_limit` are admitted: ordered ones as the queue has them, then
    registered ones, soonest to expire first.
    """
    is_urgent = sa.or_(scans.c.activate, scans.c.id.in_(_ordered_by_hand(vendor)))
    waiting = sa.select(scans.c.id).where(_waiting(vendor))
    chosen = _ids(tx, waiting.where(is_urgent).order_by(scans.c.id).limit(chunk))
    room = min(chunk - len(chosen), active_limit - count_active(tx, vendor) - len(chosen))
    if room > 0:
        others = waiting.where(scans.c.id.not_in(chosen))
        chosen += _ids(tx, _by_turn(others, vendor).limit(room))
    mark_admitted(tx, chosen)
    found = {scan.id: scan for scan in by_ids(tx, chosen)}
    return [found[scan_id] for scan_id in chosen]


def _ids(tx: Tx, query: sa.Select[Any]) -> list[int]:
    return [row.id for row in tx.all(query)]


def _ordered_by_hand(vendor: str) -> sa.Select[Any]:
    open_orders = sa.select(orders.c.scan_id).where(_is_open(vendor))
    return open_orders.where(orders.c.queue_class == QueueClass.HAND)


def _by_turn(waiting: sa.Select[Any], vendor: str) -> sa.Select[Any]:
    turns = (
        sa.select(
            orders.c.scan_id,
            sa.func.min(orders.c.queue_class).label("queue_class"),
            sa.func.min(orders.c.expires_at).label("expires_at"),
        )
        .where(_is_open(vendor))
        .group_by(orders.c.scan_id)
        .subquery()
    )
    return waiting.outerjoin_from(scans, turns, turns.c.scan_id == scans.c.id).order_by(
        scans.c.state != ScanState.ORDERED,
        sa.func.coalesce(turns.c.queue_class, QueueClass.HAND),  # all came: it is to be sealed
        sa.func.coalesce(turns.c.expires_at, scans.c.expires_at, NEVER),
        scans.c.id,
    )


def _is_open(vendor: str) -> sa.ColumnElement[bool]:
    return sa.and_(orders.c.vendor == vendor, orders.c.state != OrderState.CLOSED)


def mark_admitted(tx: Tx, scan_ids: Sequence[int]) -> None:
    """Note that these scans have a partition key now."""
    for ids in in_chunks(scan_ids):
        tx.run(
            sa.update(scans)
            .where(scans.c.id.in_(ids))
            .values(admitted_at=tx.now, activate=False, retired_at=None)
        )


def retire(tx: Tx, vendor: str, *, active_limit: int, chunk: int) -> list[Scan]:
    """Choose sealed and expired scans whose partition keys make room for others.

    Those admitted first go first. A scan with an outstanding report keeps its key, under which
    the report will be shown.
    """
    waiting = sa.select(scans.c.id).where(_waiting(vendor)).limit(chunk)
    others = tx.connection.execute(sa.select(sa.func.count()).select_from(waiting.subquery()))
    excess = min(count_active(tx, vendor) + others.scalar_one() - active_limit, chunk)
    if excess <= 0:
        return []
    query = (
        sa.select(scans)
        .where(
            scans.c.vendor == vendor,
            scans.c.admitted_at.is_not(None),
            scans.c.state.in_(RETIRED),
            scans.c.id.not_in(unreported_scans(vendor)),
        )
        .order_by(scans.c.admitted_at, scans.c.id)
        .limit(excess)
    )
    retired = [to_scan(row) for row in tx.all(query)]
    for ids in in_chunks([scan.id for scan in retired]):
        tx.run(
            sa.update(scans)
            .where(scans.c.id.in_(ids))
            .values(admitted_at=None, activate=False, retired_at=tx.now)
        )
    return retired


def _waiting(vendor: str) -> sa.ColumnElement[bool]:
    never_shown = sa.and_(scans.c.retired_at.is_(None), scans.c.state == ScanState.REGISTERED)
    wanted = sa.or_(scans.c.activate, scans.c.state == ScanState.ORDERED, never_shown)
    return sa.and_(scans.c.vendor == vendor, scans.c.admitted_at.is_(None), wanted)


def count_active(tx: Tx, vendor: str) -> int:
    """How many scans have a partition key."""
    query = sa.select(sa.func.count()).where(
        scans.c.vendor == vendor, scans.c.admitted_at.is_not(None)
    )
    return int(tx.connection.execute(query).scalar_one())


def count_by_state(tx: Tx, vendor: str | None = None) -> dict[str, int]:
    """How many scans stand where."""
    query = sa.select(scans.c.state, sa.func.count()).group_by(scans.c.state)
    if vendor is not None:
        query = query.where(scans.c.vendor == vendor)
    return {str(state): int(count) for state, count in tx.all(query)}


def to_scan(row: sa.Row[Any]) -> Scan:
    """Read a row of the scans table."""
    values = {field.name: getattr(row, field.name) for field in fields(Scan)}
    return Scan(**{**values, "state": ScanState(row.state)})
