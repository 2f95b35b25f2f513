"""Retention: which scans were sealed so long ago that they are to be forgotten."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger import cursors, holds
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.orders import OPEN
from export_pipeline.ledger.registry import to_scan
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.ledger.schema import generations, orders, scans

MAY_GO = (
    ScanState.ARCHIVED,
    ScanState.PARTIAL,
    ScanState.FAILED,
    ScanState.EXPIRED,
    ScanState.FORGOTTEN,
)
"""What may go by itself where nothing is under way; `forgotten` was interrupted."""
_RAN = "retention/"
_PLACE = "retention/place/"


@dataclass(frozen=True)
class Due:
    """A scan whose time is over.

    Args:
        scan: its row.
        sealed_at: when its newest generation was sealed, in seconds since the epoch.
        bytes: in all its sealed bags.
    """

    scan: Scan
    sealed_at: float
    bytes: int


def due(tx: Tx, vendor: str, days: int, *, after: int = 0, limit: int = 1_000) -> list[Due]:
    """Scans beyond row id `after` whose newest seal is `days` old.

    Those on hold are left out, and those that are being archived anew.
    """
    sealed_at = _of_sealed(sa.func.max(generations.c.sealed_at))
    query = (
        sa.select(
            scans,
            sealed_at.label("sealed_at"),
            _of_sealed(sa.func.sum(generations.c.bytes)).label("bytes"),
        )
        .where(
            scans.c.id > after,
            # As they come by row id: found by an index, all would be sorted for each page.
            sa.func.coalesce(scans.c.vendor, "") == vendor,
            scans.c.state.in_(MAY_GO),
            sealed_at <= tx.now - days * 86_400.0,
            ~sa.exists().where(orders.c.scan_id == scans.c.id, orders.c.state.in_(OPEN)),
            ~holds.is_held(scans),
        )
        .order_by(scans.c.id)
        .limit(limit)
    )
    return [Due(to_scan(row), float(row.sealed_at), int(row.bytes)) for row in tx.all(query)]


def _of_sealed(value: sa.ColumnElement[Any]) -> sa.ScalarSelect[Any]:
    """Of a scan's sealed generations, one scan at a time: a page costs no more than its scans."""
    of_scan = sa.and_(generations.c.scan_id == scans.c.id, generations.c.sealed_at.is_not(None))
    return sa.select(value).where(of_scan).correlate(scans).scalar_subquery()


def place(tx: Tx, vendor: str) -> int:
    """Row id of the scan at which the vendor's retention looked last, 0 before the first."""
    return int(cursors.load(tx, _PLACE + vendor) or 0)


def looked(tx: Tx, vendor: str, scan_id: int) -> None:
    """Note at which it looked last."""
    cursors.save(tx, _PLACE + vendor, scan_id)


def ran(tx: Tx, vendor: str) -> None:
    """Note that the retention of the vendor's scans ran to its end just now."""
    cursors.save(tx, _RAN + vendor, tx.now)


def ran_seconds_ago(tx: Tx, vendor: str) -> float | None:
    """How long ago it last did, None if it never did."""
    moment = cursors.load(tx, _RAN + vendor)
    return None if moment is None else tx.now - float(moment)
