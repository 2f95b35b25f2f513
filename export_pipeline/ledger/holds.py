"""Legal holds: which scans may not be forgotten, by whomever and for whatever reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.schema import holds
from export_pipeline.scans import ScanKey


@dataclass(frozen=True)
class Hold:
    """A hold, with the reason that people will read; `at` is in seconds since the epoch."""

    key: ScanKey
    reason: str
    at: float


def place(tx: Tx, key: ScanKey, reason: str) -> Hold:
    """Hold the scan, which need not be registered; a hold that is there stays as it is."""
    there = find(tx, key)
    if there is not None:
        return there
    add(tx, Hold(key, reason, tx.now))
    return Hold(key, reason, tx.now)


def add(tx: Tx, hold: Hold) -> None:
    """Note a hold as the store has it."""
    key = hold.key
    tx.run(
        sa.insert(holds).values(
            vendor=key.vendor,
            account=key.account,
            scan=key.scan,
            reason=hold.reason,
            at=hold.at,
        )
    )


def release(tx: Tx, key: ScanKey) -> bool:
    """Let go; False if the scan was not held."""
    return tx.run(sa.delete(holds).where(_is(key))) == 1


def find(tx: Tx, key: ScanKey) -> Hold | None:
    """The scan's hold, None if it is not held."""
    row = tx.one_or_none(sa.select(holds).where(_is(key)))
    return None if row is None else _hold(row)


def page(
    tx: Tx,
    *,
    vendor: str | None = None,
    account: str | None = None,
    after: ScanKey | None = None,
    limit: int = 1_000,
) -> Sequence[Hold]:
    """Holds in order of vendor, account and scan, beyond the one of `after`."""
    names = (holds.c.vendor, holds.c.account, holds.c.scan)
    query = sa.select(holds).order_by(*names).limit(limit)
    for column, wanted in ((holds.c.vendor, vendor), (holds.c.account, account)):
        if wanted is not None:
            query = query.where(column == wanted)
    if after is not None:
        query = query.where(sa.tuple_(*names) > (after.vendor, after.account, after.scan))
    return [_hold(row) for row in tx.all(query)]


def is_held(scan: Any) -> sa.ColumnElement[bool]:
    """Whether a row of `scan`, the scans table, is held, or that of which it is made."""
    source = scan.c.details["source"]
    told = [source[name].as_string() for name in ("vendor", "account", "scan")]
    itself = (scan.c.vendor, scan.c.account, scan.c.scan)
    return sa.or_(*(sa.exists().where(_names(*names)) for names in (itself, told)))


def _is(key: ScanKey) -> sa.ColumnElement[bool]:
    return _names(key.vendor, key.account, key.scan)


def _names(vendor: Any, account: Any, scan: Any) -> sa.ColumnElement[bool]:
    return sa.and_(holds.c.vendor == vendor, holds.c.account == account, holds.c.scan == scan)


def _hold(row: sa.Row[Any]) -> Hold:
    return Hold(ScanKey(row.vendor, row.account, row.scan), row.reason, float(row.at))
