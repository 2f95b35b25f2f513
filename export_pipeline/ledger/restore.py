"""Rows brought back from the archive into a ledger that lacks them; what it has stays as it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger import registry
from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.rows import Artifact, Event, Generation, Order, Scan
from export_pipeline.ledger.schema import artifacts, events, generations, orders, scans
from export_pipeline.scans import ScanKey

HALF_A_MILLISECOND = 0.0005
"""By so much the archive's moments, which are whole milliseconds, differ from the ledger's."""


@dataclass(frozen=True)
class LackedScan:
    """A scan with those of its sealed generations that the ledger lacks, as their bags tell them.

    Args:
        scan: as its newest bag tells it; its row id means nothing.
        generations: those that the ledger lacks.
        artifacts: of these.
        orders: of these and of earlier ones, each once.
        events: all up to the newest bag, oldest first.
    """

    scan: Scan
    generations: Sequence[Generation]
    artifacts: Sequence[Artifact]
    orders: Sequence[Order]
    events: Sequence[Event]


@dataclass(frozen=True)
class Audited:
    """What an audit found of a sealed bag, and when: seconds since the epoch."""

    scan: ScanKey
    generation: int
    at: float
    damage: str


def restore(tx: Tx, lost: Sequence[LackedScan]) -> list[Scan]:
    """Add the rows of these scans, each scan once; return the scans as they are then.

    A scan that the ledger has moves on to a generation newer than its own, and not back.
    """
    keys = [one.scan.key for one in lost]
    known = registry.find_many(tx, keys)
    _insert(tx, scans, [_scan(one.scan) for one in lost if one.scan.key not in known])
    for one in lost:
        before = known.get(one.scan.key)
        if before is not None and before.generation < one.scan.generation:
            _move_on(tx, before, one.scan)
    here = registry.find_many(tx, keys)
    ids = {key: scan.id for key, scan in here.items()}
    _insert(tx, generations, _rows(ids, lost, [one.generations for one in lost]))
    _insert(tx, artifacts, _rows(ids, lost, [one.artifacts for one in lost]))
    _insert(tx, orders, _new_orders(tx, _rows(ids, lost, [one.orders for one in lost])))
    _insert(tx, events, _new_events(tx, ids, lost))
    return [here[key] for key in keys]


def note_audits(tx: Tx, audits: Iterable[Audited]) -> None:
    """Note audits of which the ledger does not know, or knows only older ones."""
    of_scan = sa.and_(
        scans.c.vendor == sa.bindparam("of_vendor"),
        scans.c.account == sa.bindparam("of_account"),
        scans.c.scan == sa.bindparam("of_scan"),
    )
    later = sa.func.coalesce(generations.c.audited_at, 0.0) < sa.bindparam("later_than")
    change = sa.update(generations).where(
        generations.c.scan_id == sa.select(scans.c.id).where(of_scan).scalar_subquery(),
        generations.c.number == sa.bindparam("of_number"),
        generations.c.sealed_at.is_not(None),
        later,
    )
    rows = [
        {
            "of_vendor": one.scan.vendor,
            "of_account": one.scan.account,
            "of_scan": one.scan.scan,
            "of_number": one.generation,
            "later_than": one.at - HALF_A_MILLISECOND,
            "audited_at": one.at,
            "damage": one.damage,
        }
        for one in audits
    ]
    if rows:
        names = ("audited_at", "damage")
        tx.run(change.values({name: sa.bindparam(name) for name in names}), rows)


def _insert(tx: Tx, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        tx.run(sa.insert(table), rows)


def _scan(scan: Scan) -> dict[str, Any]:
    row = {**vars(scan), "activate": False}
    del row["id"]
    return row


def _move_on(tx: Tx, before: Scan, to: Scan) -> None:
    values = {"generation": to.generation, "state": to.state, "reason": to.reason}
    tx.run(sa.update(scans).where(scans.c.id == before.id).values(values))


def _rows(
    ids: Mapping[ScanKey, int], lost: Sequence[LackedScan], rows: Iterable[Sequence[object]]
) -> list[dict[str, Any]]:
    return [
        {**vars(row), "scan_id": ids[one.scan.key]}
        for one, its_own in zip(lost, rows, strict=True)
        for row in its_own
    ]


def _new_orders(tx: Tx, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    known: set[str] = set()
    for some in in_chunks([row["id"] for row in rows]):
        query = sa.select(orders.c.id).where(orders.c.id.in_(some))
        known |= {row.id for row in tx.all(query)}
    return [row for row in rows if row["id"] not in known]


def _new_events(
    tx: Tx, ids: Mapping[ScanKey, int], lost: Sequence[LackedScan]
) -> list[dict[str, Any]]:
    """Events beyond those that the ledger has of each scan, and one that tells of this."""
    known: dict[int, int] = {}
    counted = sa.select(events.c.scan_id, sa.func.count().label("events"))
    for some in in_chunks(list(ids.values())):
        found = counted.where(events.c.scan_id.in_(some)).group_by(events.c.scan_id)
        known |= {row.scan_id: row.events for row in tx.all(found)}
    rows = []
    for one in lost:
        scan_id = ids[one.scan.key]
        told = {"generations": [generation.number for generation in one.generations]}
        brought_back = Event(tx.now, "brought back from the archive", None, told)
        new = one.events[known.get(scan_id, 0) :]
        rows += [{**vars(event), "scan_id": scan_id} for event in (*new, brought_back)]
    return rows
