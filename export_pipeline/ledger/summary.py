"""The ledger summed up for people: lists, counts and ends, read over several tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.orders import NEVER, OPEN, to_order
from export_pipeline.ledger.registry import to_scan
from export_pipeline.ledger.rows import (
    Generation,
    GenerationState,
    Order,
    OrderState,
    Scan,
    ScanState,
)
from export_pipeline.ledger.schema import generations, orders, reports, scans
from export_pipeline.ledger.troubles import IS_DAMAGED


@dataclass(frozen=True)
class Waiting:
    """An order's or a registered scan's place in line: whose it is, and when the scan ends.

    Args:
        scan_id: row id of the scan; one scan may have several orders.
        expires_at: seconds since the epoch, None if unknown.
    """

    scan_id: int
    expires_at: float | None


def find_scans(
    tx: Tx,
    *,
    names: Sequence[str] = (),
    states: Iterable[ScanState] = (),
    account: str | None = None,
    vendor: str | None = None,
    damaged: bool = False,
    after: int = 0,
    limit: int = 1000,
) -> list[Scan]:
    """Scans in order of registration beyond row id `after`, narrowed by what is given."""
    query = sa.select(scans).where(scans.c.id > after)
    if names:
        query = query.where(scans.c.scan.in_(names))
    if wanted := list(states):
        query = query.where(scans.c.state.in_(wanted))
    if account is not None:
        query = query.where(scans.c.account == account)
    if vendor is not None:
        query = query.where(scans.c.vendor == vendor)
    if damaged:
        query = query.where(scans.c.id.in_(sa.select(generations.c.scan_id).where(IS_DAMAGED)))
    return [to_scan(row) for row in tx.all(query.order_by(scans.c.id).limit(limit))]


def generations_of(tx: Tx, scan_id: int) -> list[Generation]:
    """Every generation of a scan, oldest first."""
    query = sa.select(generations).where(generations.c.scan_id == scan_id)
    return [_to_generation(row) for row in tx.all(query.order_by(generations.c.number))]


def accounts(tx: Tx) -> list[tuple[str, str]]:
    """Vendor and account of every scan that the ledger has."""
    query = sa.select(scans.c.vendor, scans.c.account).distinct()
    return sorted((row.vendor, row.account) for row in tx.all(query))


def in_queue(tx: Tx, vendor: str, account: str) -> list[Waiting]:
    """Queued orders in the order in which they are sent, without the backlog's share."""
    query = sa.select(orders.c.scan_id, orders.c.expires_at).where(
        orders.c.vendor == vendor,
        orders.c.account == account,
        orders.c.state == OrderState.QUEUED,
    )
    by_turn = query.order_by(orders.c.queue_class, orders.c.expires_at, orders.c.queued_at)
    return [
        Waiting(row.scan_id, None if row.expires_at == NEVER else row.expires_at)
        for row in tx.all(by_turn)
    ]


def unordered(tx: Tx, vendor: str, account: str) -> list[Waiting]:
    """Registered scans that nobody has ordered, soonest to expire first."""
    query = sa.select(scans.c.id, scans.c.expires_at).where(
        scans.c.vendor == vendor,
        scans.c.account == account,
        scans.c.state == ScanState.REGISTERED,
    )
    by_turn = query.order_by(scans.c.expires_at.is_(None), scans.c.expires_at, scans.c.id)
    return [Waiting(row.id, row.expires_at) for row in tx.all(by_turn)]


def oldest_open_order(tx: Tx) -> tuple[Order, Scan] | None:
    """The order that has been open for longest, None with none open."""
    query = sa.select(orders).where(orders.c.state.in_(OPEN))
    row = tx.one_or_none(query.order_by(orders.c.queued_at).limit(1))
    if row is None:
        return None
    order = to_order(row)
    owner = tx.connection.execute(sa.select(scans).where(scans.c.id == order.scan_id)).one()
    return order, to_scan(owner)


def count_open_orders(tx: Tx) -> dict[OrderState, int]:
    """How many orders are open, by state; reads only those."""
    query = sa.select(orders.c.state, sa.func.count().label("orders"))
    query = query.where(orders.c.state.in_(OPEN)).group_by(orders.c.state)
    found = {row.state: row.orders for row in tx.all(query)}
    return {state: found.get(state, 0) for state in OPEN}


def count_unreported(tx: Tx) -> int:
    """How many settled things Dagster has not been told."""
    # Only by vendor does the index lead to those few among all that were ever shown.
    of_vendors = reports.c.vendor.in_(sa.select(scans.c.vendor).distinct())
    outstanding = sa.and_(of_vendors, reports.c.reported_at.is_(None))
    query = sa.select(sa.func.count()).select_from(reports).where(outstanding)
    return int(tx.connection.execute(query).scalar_one())


def _to_generation(row: sa.Row[tuple[object, ...]]) -> Generation:
    values = {field.name: getattr(row, field.name) for field in fields(Generation)}
    return Generation(**{**values, "state": GenerationState(row.state)})
