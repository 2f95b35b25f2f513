"""The archive in figures for its report: sums and ranks made by the database, few rows each."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import GenerationState, ScanState
from export_pipeline.ledger.schema import generations, scans
from export_pipeline.scans import ScanKey

DAY_SECONDS = 86_400
UNSETTLED = (ScanState.REGISTERED, ScanState.ORDERED)


@dataclass(frozen=True)
class StateCount:
    """How many scans of a vendor stand so."""

    vendor: str
    state: ScanState
    scans: int


@dataclass(frozen=True)
class SealedDay:
    """What was sealed on one day (UTC), counted in days since the epoch."""

    day: int
    bags: int
    bytes: int


@dataclass(frozen=True)
class Durations:
    """Seconds from the order of a generation to its seal: of how many, the half, 95 of 100."""

    vendor: str
    bags: int
    median: float
    p95: float


@dataclass(frozen=True)
class BagFinding:
    """A sealed generation with a moment (seconds since the epoch) and what was found of it."""

    key: ScanKey
    generation: int
    at: float
    words: str = ""


@dataclass(frozen=True)
class Ending:
    """A scan that is not archived and that its vendor deletes at a moment."""

    key: ScanKey
    state: ScanState
    expires_at: float


def states(tx: Tx) -> list[StateCount]:
    """Scans by vendor and state."""
    query = sa.select(scans.c.vendor, scans.c.state, sa.func.count().label("scans"))
    rows = tx.all(query.group_by(scans.c.vendor, scans.c.state).order_by(scans.c.vendor))
    return [StateCount(row.vendor, ScanState(row.state), row.scans) for row in rows]


def sealed_days(tx: Tx) -> list[SealedDay]:
    """What was sealed, by day, oldest first."""
    day = (sa.cast(generations.c.sealed_at, sa.BigInteger) // DAY_SECONDS).label("day")
    query = sa.select(
        day, sa.func.count().label("bags"), sa.func.sum(generations.c.bytes).label("bytes")
    )
    rows = tx.all(query.where(_sealed()).group_by(day).order_by(day))
    return [SealedDay(int(row.day), row.bags, int(row.bytes)) for row in rows]


def durations(tx: Tx, *, since: float) -> list[Durations]:
    """How long it took from order to seal, by vendor, of what was sealed since a moment.

    A generation is opened by its first order.
    """
    # Nearest rank: of n values in order, the one at place ceil(n * share).
    seconds = (generations.c.sealed_at - generations.c.opened_at).label("seconds")
    vendor = scans.c.vendor
    found = (
        sa.select(vendor, seconds)
        .join(scans, scans.c.id == generations.c.scan_id)
        .where(_sealed(), generations.c.sealed_at >= since)
        .subquery()
    )
    of_vendor = found.c.vendor
    ranked = sa.select(
        of_vendor,
        found.c.seconds,
        sa.func.row_number().over(partition_by=of_vendor, order_by=found.c.seconds).label("place"),
        sa.func.count().over(partition_by=of_vendor).label("bags"),
    ).subquery()
    at = {name: (ranked.c.bags * share + 99) // 100 for name, share in _SHARES.items()}
    values = [
        sa.func.max(sa.case((ranked.c.place == place, ranked.c.seconds))).label(name)
        for name, place in at.items()
    ]
    query = sa.select(ranked.c.vendor, sa.func.max(ranked.c.bags).label("bags"), *values)
    rows = tx.all(query.group_by(ranked.c.vendor).order_by(ranked.c.vendor))
    return [Durations(row.vendor, row.bags, row.median, row.p95) for row in rows]


_SHARES = {"median": 50, "p95": 95}


def oldest_verified(tx: Tx) -> BagFinding | None:
    """The sealed bag whose last look was longest ago: its audit, or, without one, its seal."""
    return next(iter(_bags(tx, sa.true(), 1)), None)


def count_never_audited(tx: Tx) -> int:
    """Sealed bags that no audit has reread."""
    query = sa.select(sa.func.count()).where(_sealed(), generations.c.audited_at.is_(None))
    return int(tx.connection.execute(query).scalar_one())


def damaged(tx: Tx, limit: int) -> list[BagFinding]:
    """Sealed bags in which the last audit found damage, with what it found."""
    return _bags(tx, generations.c.damage != "", limit)


def _bags(tx: Tx, condition: sa.ColumnElement[bool], limit: int) -> list[BagFinding]:
    at = sa.func.coalesce(generations.c.audited_at, generations.c.sealed_at).label("at")
    query = (
        sa.select(
            scans.c.vendor,
            scans.c.account,
            scans.c.scan,
            generations.c.number,
            generations.c.damage,
            at,
        )
        .join(scans, scans.c.id == generations.c.scan_id)
        .where(_sealed(), condition)
    )
    in_order = query.order_by(at, generations.c.scan_id, generations.c.number).limit(limit)
    return [BagFinding(_key(row), row.number, row.at, row.damage) for row in tx.all(in_order)]


def count_ending(tx: Tx, until: float) -> int:
    """Scans that are not settled and end at the vendor before a moment."""
    query = sa.select(sa.func.count()).select_from(scans).where(_ending(until))
    return int(tx.connection.execute(query).scalar_one())


def soonest_ending(tx: Tx, until: float, limit: int) -> list[Ending]:
    """Those that end first."""
    query = sa.select(scans).where(_ending(until)).order_by(scans.c.expires_at).limit(limit)
    return [Ending(_key(row), ScanState(row.state), row.expires_at) for row in tx.all(query)]


def _ending(until: float) -> sa.ColumnElement[bool]:
    return sa.and_(scans.c.state.in_(UNSETTLED), scans.c.expires_at < until)


def _sealed() -> sa.ColumnElement[bool]:
    return generations.c.state == GenerationState.SEALED


def _key(row: sa.Row[Any]) -> ScanKey:
    return ScanKey(row.vendor, row.account, row.scan)
