"""Generations: which archived version of a scan is being made, and which were sealed."""

from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.registry import set_generation
from export_pipeline.ledger.rows import Generation, GenerationState, Scan
from export_pipeline.ledger.schema import generations, scans


def current(tx: Tx, scan: Scan) -> Generation | None:
    """The scan's newest generation, None before its first order."""
    return find(tx, scan.id, scan.generation)


def find(tx: Tx, scan_id: int, number: int) -> Generation | None:
    """One generation of a scan."""
    row = tx.one_or_none(sa.select(generations).where(_is(scan_id, number)))
    if row is None:
        return None
    return _generation(row)


def get(tx: Tx, scan_id: int, number: int) -> Generation:
    """One generation of a scan that is known to have it."""
    return _generation(
        tx.connection.execute(sa.select(generations).where(_is(scan_id, number))).one()
    )


def open_next(tx: Tx, scan: Scan, *, wants_bag: bool) -> int:
    """Open the generation after the scan's newest and return its number, from 1."""
    number = scan.generation + 1
    tx.run(
        sa.insert(generations).values(
            scan_id=scan.id,
            number=number,
            state=GenerationState.OPEN,
            verdict="",
            wants_bag=wants_bag,
            opened_at=tx.now,
        )
    )
    set_generation(tx, scan.id, number)
    return number


def want_bag(tx: Tx, scan_id: int, number: int) -> None:
    """Have the generation sealed once every artifact is settled."""
    tx.run(sa.update(generations).where(_is(scan_id, number)).values(wants_bag=True))


def freeze(tx: Tx, scan_id: int, number: int, verdict: str, files: int, size: int) -> None:
    """Fix what the bag holds and tells: from here on a crash can only finish the same bag."""
    tx.run(
        sa.update(generations)
        .where(_is(scan_id, number), generations.c.state == GenerationState.OPEN)
        .values(
            state=GenerationState.FROZEN,
            verdict=verdict,
            files=files,
            bytes=size,
            frozen_at=tx.now,
            details=_of_scan(scans.c.details, scan_id),
            expires_at=_of_scan(scans.c.expires_at, scan_id),
        )
    )


def sealed(tx: Tx, scan_id: int, number: int, seal_sha256: str) -> bool:
    """Note that the seal of this digest is in the store; False if somebody noted it before."""
    change = sa.update(generations).where(
        _is(scan_id, number), generations.c.state == GenerationState.FROZEN
    )
    values = {"state": GenerationState.SEALED, "sealed_at": tx.now, "seal_sha256": seal_sha256}
    return tx.run(change.values(**values)) == 1


def thaw(tx: Tx, scan_id: int, number: int) -> None:
    """Open a frozen generation again, whose broken artifacts were given up."""
    tx.run(
        sa.update(generations)
        .where(_is(scan_id, number), generations.c.state == GenerationState.FROZEN)
        .values(state=GenerationState.OPEN)
    )


def abandon(tx: Tx, scan_id: int, number: int) -> bool:
    """Give a frozen generation up for the next one; False if somebody did before."""
    change = sa.update(generations).where(
        _is(scan_id, number), generations.c.state == GenerationState.FROZEN
    )
    return tx.run(change.values(state=GenerationState.ABANDONED)) == 1


def unsealed(tx: Tx, vendor: str, limit: int) -> list[tuple[int, int]]:
    """Frozen generations whose seal was interrupted, as (scan row id, number)."""
    query = (
        sa.select(generations.c.scan_id, generations.c.number)
        .join(scans, scans.c.id == generations.c.scan_id)
        .where(generations.c.state == GenerationState.FROZEN, scans.c.vendor == vendor)
        .order_by(generations.c.frozen_at)
        .limit(limit)
    )
    return [(row.scan_id, row.number) for row in tx.all(query)]


def tidy(tx: Tx, scan_id: int, number: int, moment: float | None) -> None:
    """Have what a sealed generation left at the vendor deleted at `moment`; None: it is done."""
    tx.run(sa.update(generations).where(_is(scan_id, number)).values(tidy_at=moment))


def untidy(tx: Tx, vendor: str, limit: int) -> list[tuple[int, int]]:
    """Sealed generations whose leavings at the vendor are to be deleted, as (scan row id, number).

    It is time to, and those that wait longest come first.
    """
    query = (
        sa.select(generations.c.scan_id, generations.c.number)
        .join(scans, scans.c.id == generations.c.scan_id)
        .where(generations.c.tidy_at <= tx.now, scans.c.vendor == vendor)
        .order_by(generations.c.tidy_at)
        .limit(limit)
    )
    return [(row.scan_id, row.number) for row in tx.all(query)]


def totals(tx: Tx) -> tuple[int, int]:
    """Files and bytes in all sealed bags."""
    row = tx.connection.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(generations.c.files), 0),
            sa.func.coalesce(sa.func.sum(generations.c.bytes), 0),
        ).where(generations.c.state == GenerationState.SEALED)
    ).one()
    return int(row[0]), int(row[1])


def _of_scan(column: sa.Column[Any], scan_id: int) -> sa.ScalarSelect[Any]:
    return sa.select(column).where(scans.c.id == scan_id).scalar_subquery()


def _is(scan_id: int, number: int) -> sa.ColumnElement[bool]:
    return sa.and_(generations.c.scan_id == scan_id, generations.c.number == number)


def _generation(row: sa.Row[Any]) -> Generation:
    values = {field.name: getattr(row, field.name) for field in fields(Generation)}
    return Generation(**{**values, "state": GenerationState(row.state)})
