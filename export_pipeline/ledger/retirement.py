"""Retirement: which scans give their partition key in Dagster back; the ledger keeps them."""

from collections.abc import Sequence

import sqlalchemy as sa

from export_pipeline.ledger.admission import count_active, count_waiting
from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.registry import SETTLED, by_ids
from export_pipeline.ledger.reports import unreported_scans
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.ledger.schema import events, generations, scans

MAKING_ROOM = (ScanState.ARCHIVED, ScanState.PARTIAL, ScanState.EXPIRED)
"""What leaves before its age where others need room; a failed scan waits for somebody to act."""


def retirable(
    tx: Tx, vendor: str, *, quiet_seconds: float, active_limit: int, limit: int
) -> list[int]:
    """Row ids of up to `limit` scans whose partition keys are to go.

    First those settled scans that were admitted `quiet_seconds` ago or earlier and to which
    nothing has happened since: nobody looks at them. Then, as far as more scans are admitted or
    wait to be than `active_limit`, sealed and expired ones, those first that were sealed, or
    activated since, longest ago.
    """
    quiet = _quiet(tx, vendor, tx.now - quiet_seconds, limit)
    wanted = count_active(tx, vendor) + count_waiting(tx, vendor, limit) - active_limit
    room = min(wanted, limit) - len(quiet)
    return quiet if room <= 0 else [*quiet, *_oldest(tx, vendor, quiet, room)]


def retire(tx: Tx, vendor: str, scan_ids: Sequence[int]) -> list[Scan]:
    """Mark those of the scans retired that still may be, and return them."""
    retired: list[int] = []
    for ids in in_chunks(scan_ids):
        query = sa.select(scans.c.id).where(_may_go(vendor), scans.c.id.in_(ids))
        retired += [row.id for row in tx.all(query.order_by(scans.c.id))]
    for ids in in_chunks(retired):
        change = sa.update(scans).where(scans.c.id.in_(ids))
        tx.run(change.values(admitted_at=None, activate=False, retired_at=tx.now))
    found = {scan.id: scan for scan in by_ids(tx, retired)}
    return [found[scan_id] for scan_id in retired]


def _quiet(tx: Tx, vendor: str, since: float, limit: int) -> list[int]:
    newest_event = (
        sa.select(events.c.at)
        .where(events.c.scan_id == scans.c.id)
        .order_by(events.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    quiet_since = sa.func.coalesce(newest_event, scans.c.admitted_at)
    query = (
        sa.select(scans.c.id)
        .where(_may_go(vendor), scans.c.admitted_at <= since, quiet_since <= since)
        .order_by(scans.c.admitted_at, scans.c.id)
        .limit(limit)
    )
    return [row.id for row in tx.all(query)]


def _oldest(tx: Tx, vendor: str, spared: Sequence[int], limit: int) -> list[int]:
    shown_at = sa.case(
        (generations.c.sealed_at > scans.c.admitted_at, generations.c.sealed_at),
        else_=scans.c.admitted_at,
    )
    query = (
        sa.select(scans.c.id)
        .outerjoin_from(
            scans,
            generations,
            sa.and_(
                generations.c.scan_id == scans.c.id, generations.c.number == scans.c.generation
            ),
        )
        .where(_may_go(vendor), scans.c.state.in_(MAKING_ROOM), scans.c.id.not_in(spared))
        .order_by(shown_at, scans.c.id)
        .limit(limit)
    )
    return [row.id for row in tx.all(query)]


def _may_go(vendor: str) -> sa.ColumnElement[bool]:
    """Settled, and nothing is left to be shown under its key."""
    return sa.and_(
        scans.c.vendor == vendor,
        scans.c.admitted_at.is_not(None),
        scans.c.state.in_(SETTLED),
        scans.c.id.not_in(unreported_scans(vendor)),
    )
