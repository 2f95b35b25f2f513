"""Generations: which archived version of a scan is being made, and which were sealed."""

from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.reading import reader
from export_pipeline.ledger.registry import set_generation
from export_pipeline.ledger.rows import Generation, GenerationState, Scan
from export_pipeline.ledger.schema import generations, scans


def current(tx: Tx, scan: Scan) -> Generation | None:
    """The scan's newest generation, None before its first order."""
    return find(tx, scan.id, scan.generation)


def find(tx: Tx, scan_id: int, number: int) -> Generation | None:
    """One generation of a scan."""
    row = tx.one_or_none(_find(scan_id, number))
    return None if row is None else _generation(row)


def get(tx: Tx, scan_id: int, number: int) -> Generation:
    """One generation of a scan that is known to have it."""
    return _generation(tx.execute(_find(scan_id, number)).one())


@prepared
def _find(scan_id: int, number: int) -> sa.Select[Any]:
    return sa.select(generations).where(_is(scan_id, number))


def open_next(tx: Tx, scan: Scan, *, wants_bag: bool) -> int:
    """Open the generation after the scan's newest and return its number, from 1."""
    number = scan.generation + 1
    opened = {"state": GenerationState.OPEN, "wants_bag": wants_bag, "opened_at": tx.now}
    tx.run(_insert(scan_id=scan.id, number=number, verdict="", **opened))
    set_generation(tx, scan.id, number)
    return number


@prepared
def _insert(**values: Any) -> sa.Insert:
    return sa.insert(generations).values(**values)


def want_bag(tx: Tx, scan_id: int, number: int) -> None:
    """Have the generation sealed once every artifact is settled."""
    tx.run(_change(scan_id, number, wants_bag=True))


@prepared
def _change(scan_id: int, number: int, **values: Any) -> sa.Update:
    return sa.update(generations).where(_is(scan_id, number)).values(**values)


def freeze(tx: Tx, scan_id: int, number: int, verdict: str, files: int, size: int) -> None:
    """Fix what the bag holds and tells: from here on a crash can only finish the same bag."""
    contents = {"verdict": verdict, "files": files, "bytes": size, "frozen_at": tx.now}
    tx.run(_freeze(scan_id, number, **contents))


@prepared
def _freeze(scan_id: int, number: int, **contents: Any) -> sa.Update:
    return _transition(scan_id, number, GenerationState.OPEN).values(
        state=GenerationState.FROZEN,
        details=_of_scan(scans.c.details, scan_id),
        expires_at=_of_scan(scans.c.expires_at, scan_id),
        **contents,
    )


def sealed(tx: Tx, scan_id: int, number: int, seal_sha256: str) -> bool:
    """Note that the seal of this digest is in the store; False if somebody noted it before."""
    values = {"state": GenerationState.SEALED, "sealed_at": tx.now, "seal_sha256": seal_sha256}
    return tx.run(_no_longer_frozen(scan_id, number, **values)) == 1


def thaw(tx: Tx, scan_id: int, number: int) -> None:
    """Open a frozen generation again, whose broken artifacts were given up."""
    tx.run(_no_longer_frozen(scan_id, number, state=GenerationState.OPEN))


def abandon(tx: Tx, scan_id: int, number: int) -> bool:
    """Give a frozen generation up for the next one; False if somebody did before."""
    return tx.run(_no_longer_frozen(scan_id, number, state=GenerationState.ABANDONED)) == 1


@prepared
def _no_longer_frozen(scan_id: int, number: int, **values: Any) -> sa.Update:
    return _transition(scan_id, number, GenerationState.FROZEN).values(**values)


def _transition(scan_id: int, number: int, before: GenerationState) -> sa.Update:
    return sa.update(generations).where(_is(scan_id, number), generations.c.state == before)


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
    tx.run(_change(scan_id, number, tidy_at=moment))


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


_generation = reader(Generation, state=GenerationState)
