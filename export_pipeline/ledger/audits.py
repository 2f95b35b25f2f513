"""Audits: which sealed bags were verified when, and what that found.

Sealing verifies every byte, so a bag that was never reread was last verified when it was sealed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.rows import GenerationState
from export_pipeline.ledger.schema import generations, scans
from export_pipeline.scans import ScanKey

CLOCKS_APART = timedelta(hours=1)
"""By so much the clocks of two machines may differ, or one be set back."""
_is_sealed = generations.c.state == GenerationState.SEALED


@dataclass(frozen=True)
class SealedBag:
    """A sealed bag as the ledger has it, without what its vendor said of the scan.

    Args:
        scan_id: row id of its scan.
        key: the scan's full name.
        number: its generation.
        bytes: of its payload.
        seal_sha256: digest of its seal as it was written, "" if the ledger does not know it.
        verified_at: when every byte of it was last right, or was found not to be.
    """

    scan_id: int
    key: ScanKey
    number: int
    bytes: int
    seal_sha256: str
    verified_at: float


@dataclass(frozen=True)
class ArchiveSize:
    """All sealed bags at one moment.

    Args:
        at: that moment.
        bags: how many there are.
        bytes: of their payloads.
        oldest: when the one was verified of which that is longest ago, None without any.
    """

    at: float
    bags: int
    bytes: int
    oldest: float | None


def _verified_at(tx: Tx) -> sa.ColumnElement[float]:
    """When a bag was verified; never, if that is an hour and more to come: a clock was wrong."""
    told = sa.func.coalesce(generations.c.audited_at, generations.c.sealed_at, 0.0)
    return sa.case((told > tx.now + CLOCKS_APART.total_seconds(), 0.0), else_=told)


def size(tx: Tx) -> ArchiveSize:
    """Measure the archive."""
    row = tx.connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(generations.c.bytes), 0),
            sa.func.min(_verified_at(tx)),
        ).where(_is_sealed)
    ).one()
    return ArchiveSize(tx.now, int(row[0]), int(row[1]), row[2])


def oldest(
    tx: Tx, *, before: float, after: tuple[float, int, int] = (0.0, 0, 0), limit: int
) -> list[SealedBag]:
    """Bags last verified before `before`, oldest first.

    Args:
        after: `verified_at`, scan row id and number of the bag to go on behind.
    """
    verified_at = _verified_at(tx)
    place = (verified_at, generations.c.scan_id, generations.c.number)
    query = _bags(tx).where(sa.tuple_(*place) > after, verified_at < before)
    in_order = query.order_by(*place)
    return [_bag(row) for row in tx.all(in_order.limit(limit))]


def page(
    tx: Tx,
    *,
    scan_id: int | None = None,
    newest: bool = False,
    vendor: str | None = None,
    account: str | None = None,
    after: tuple[int, int] = (0, 0),
    limit: int,
) -> list[SealedBag]:
    """Bags in order of scan row id and number beyond `after`, narrowed by what is given."""
    here = sa.tuple_(generations.c.scan_id, generations.c.number)
    query = _narrowed(_bags(tx), newest=newest, vendor=vendor, account=account).where(here > after)
    if scan_id is not None:
        query = query.where(generations.c.scan_id == scan_id)
    in_order = query.order_by(generations.c.scan_id, generations.c.number)
    return [_bag(row) for row in tx.all(in_order.limit(limit))]


def newest(tx: Tx, scan_ids: Sequence[int]) -> list[SealedBag]:
    """The newest bag of each of these scans, by row id."""
    query = _narrowed(_bags(tx), newest=True, vendor=None, account=None)
    return [
        _bag(row)
        for some in in_chunks(scan_ids)
        for row in tx.all(query.where(generations.c.scan_id.in_(some)))
    ]


def count(tx: Tx, *, newest: bool, vendor: str | None, account: str | None) -> int:
    """How many bags all pages have together."""
    query = sa.select(sa.func.count()).select_from(generations.join(scans)).where(_is_sealed)
    narrowed = _narrowed(query, newest=newest, vendor=vendor, account=account)
    return int(tx.connection.execute(narrowed).scalar_one())


def damaged(tx: Tx, *, before: float, limit: int) -> list[str]:
    """What audits before that moment found, of bags that were not found whole since."""
    verified_at = _verified_at(tx)
    query = sa.select(generations.c.damage).where(
        _is_sealed, generations.c.damage != "", verified_at < before
    )
    return [row.damage for row in tx.all(query.order_by(verified_at).limit(limit))]


def audited(tx: Tx, bag: SealedBag, damage: str) -> str | None:
    """Note that the bag was reread just now and what that found, "" for nothing.

    Returns:
        What the audit before had found; None if the ledger has the bag no more.
    """
    here = sa.and_(generations.c.scan_id == bag.scan_id, generations.c.number == bag.number)
    before = tx.one_or_none(sa.select(generations.c.damage).where(here, _is_sealed))
    if before is None:
        return None
    tx.run(sa.update(generations).where(here).values(audited_at=tx.now, damage=damage))
    return str(before.damage)


def still_there(tx: Tx, scan_ids: Sequence[int]) -> set[int]:
    """Those of the scans, by row id, that have sealed bags and were not forgotten."""
    found: set[int] = set()
    for some in in_chunks(scan_ids):
        sealed = sa.and_(generations.c.scan_id.in_(some), _is_sealed)
        found |= {row.scan_id for row in tx.all(sa.select(generations.c.scan_id).where(sealed))}
    return found


def _bags(tx: Tx) -> sa.Select[Any]:
    columns = (
        generations.c.scan_id,
        scans.c.vendor,
        scans.c.account,
        scans.c.scan,
        generations.c.number,
        generations.c.bytes,
        generations.c.seal_sha256,
        _verified_at(tx).label("verified_at"),
    )
    return sa.select(*columns).join(scans).where(_is_sealed)


def _narrowed(
    query: sa.Select[Any], *, newest: bool, vendor: str | None, account: str | None
) -> sa.Select[Any]:
    if vendor is not None:
        query = query.where(scans.c.vendor == vendor)
    if account is not None:
        query = query.where(scans.c.account == account)
    if newest:
        newer = generations.alias()
        query = query.where(
            ~sa.exists().where(
                newer.c.scan_id == generations.c.scan_id,
                newer.c.number > generations.c.number,
                newer.c.state == GenerationState.SEALED,
            )
        )
    return query


def _bag(row: sa.Row[Any]) -> SealedBag:
    return SealedBag(
        scan_id=row.scan_id,
        key=ScanKey(row.vendor, row.account, row.scan),
        number=row.number,
        bytes=row.bytes,
        seal_sha256=row.seal_sha256,
        verified_at=row.verified_at,
    )
