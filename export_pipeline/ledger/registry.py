"""Scans in the ledger: registered, ordered, settled."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from json import dumps, loads
from typing import Any

import sqlalchemy as sa

from export_pipeline.errors import UnknownScan
from export_pipeline.ledger import events
from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.reading import reader
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.ledger.schema import scans
from export_pipeline.scans import ScanKey

SETTLED = (ScanState.ARCHIVED, ScanState.PARTIAL, ScanState.FAILED, ScanState.EXPIRED)
"""Scans for which nothing is under way."""


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
    tx.run(_change(known.id, details=merged, expires_at=expires_at))
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
    row = tx.one_or_none(_find(key.vendor, key.account, key.scan))
    return None if row is None else to_scan(row)


@prepared
def _find(vendor: str, account: str, scan: str) -> sa.Select[Any]:
    return sa.select(scans).where(
        scans.c.vendor == vendor, scans.c.account == account, scans.c.scan == scan
    )


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
    return to_scan(tx.execute(_by_id(scan_id)).one())


@prepared
def _by_id(scan_id: int) -> sa.Select[Any]:
    return sa.select(scans).where(scans.c.id == scan_id)


def by_ids(tx: Tx, scan_ids: Sequence[int]) -> list[Scan]:
    """The scans with these row ids."""
    found: list[Scan] = []
    for ids in in_chunks(scan_ids):
        found += [to_scan(row) for row in tx.all(_by_ids(ids))]
    return found


@prepared
def _by_ids(scan_ids: Sequence[int]) -> sa.Select[Any]:
    return sa.select(scans).where(scans.c.id.in_(scan_ids))


def page(
    tx: Tx, vendor: str | None, states: Iterable[ScanState], *, after: int = 0, limit: int = 1000
) -> list[Scan]:
    """Scans in these states in order of registration, beyond row id `after`."""
    query = sa.select(scans).where(scans.c.state.in_(list(states)), scans.c.id > after)
    if vendor is not None:
        query = query.where(scans.c.vendor == vendor)
    return [to_scan(row) for row in tx.all(query.order_by(scans.c.id).limit(limit))]


def soonest_to_expire(tx: Tx, vendor: str, limit: int) -> list[Scan]:
    """Registered scans that nobody has ordered, those first that the vendor deletes first.

    Those whose end is unknown come last, by a query of their own: one sort of both would read
    300,000 imported scans for each hundred that are queued.
    """
    waiting = sa.select(scans).where(
        scans.c.vendor == vendor, scans.c.state == ScanState.REGISTERED
    )
    ending = waiting.where(scans.c.expires_at.is_not(None)).order_by(scans.c.expires_at, scans.c.id)
    endless = waiting.where(scans.c.expires_at.is_(None)).order_by(scans.c.id)
    rows = tx.all(ending.limit(limit))
    rows += tx.all(endless.limit(limit - len(rows)))
    return [to_scan(row) for row in rows]


def settle(tx: Tx, scan_id: int, state: ScanState, reason: str = "") -> None:
    """Set where the scan stands, with the reason that people will read; no more once forgotten."""
    tx.run(_settle(scan_id, state=state, reason=reason))


@prepared
def _settle(scan_id: int, **values: Any) -> sa.Update:
    kept = sa.and_(scans.c.id == scan_id, scans.c.state != ScanState.FORGOTTEN)
    return sa.update(scans).where(kept).values(**values)


def set_generation(tx: Tx, scan_id: int, number: int) -> None:
    """Make this generation the scan's current one, with an order open for it."""
    tx.run(_change(scan_id, generation=number, state=ScanState.ORDERED, reason=""))


@prepared
def _change(scan_id: int, **values: Any) -> sa.Update:
    return sa.update(scans).where(scans.c.id == scan_id).values(**values)


def count_by_state(tx: Tx, vendor: str | None = None) -> dict[str, int]:
    """How many scans stand where."""
    query = sa.select(scans.c.state, sa.func.count()).group_by(scans.c.state)
    if vendor is not None:
        query = query.where(scans.c.vendor == vendor)
    return {str(state): int(count) for state, count in tx.all(query)}


to_scan = reader(Scan, state=ScanState)
"""Reads a row of the scans table."""
