"""Retention: which scans were sealed so long ago that they are to be forgotten."""

from dataclasses import dataclass

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
    sealed = (
        sa.select(
            generations.c.scan_id,
            sa.func.max(generations.c.sealed_at).label("sealed_at"),
            sa.func.sum(generations.c.bytes).label("bytes"),
        )
        .where(generations.c.sealed_at.is_not(None), generations.c.scan_id > after)
        .group_by(generations.c.scan_id)
        .having(sa.func.max(generations.c.sealed_at) <= tx.now - days * 86_400.0)
        .subquery()
    )
    query = (
        sa.select(scans, sealed.c.sealed_at, sealed.c.bytes)
        .join_from(scans, sealed, sealed.c.scan_id == scans.c.id)
        .where(
            scans.c.vendor == vendor,
            scans.c.state.in_(MAY_GO),
            ~sa.exists().where(orders.c.scan_id == scans.c.id, orders.c.state.in_(OPEN)),
            ~holds.is_held(scans),
        )
        .order_by(scans.c.id)
        .limit(limit)
    )
    return [Due(to_scan(row), float(row.sealed_at), int(row.bytes)) for row in tx.all(query)]


def ran(tx: Tx, vendor: str) -> None:
    """Note that the retention of the vendor's scans ran to its end just now."""
    cursors.save(tx, _RAN + vendor, tx.now)


def ran_seconds_ago(tx: Tx, vendor: str) -> float | None:
    """How long ago it last did, None if it never did."""
    moment = cursors.load(tx, _RAN + vendor)
    return None if moment is None else tx.now - float(moment)
