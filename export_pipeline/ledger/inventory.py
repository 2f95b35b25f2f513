"""What of the objects in the store the ledger knows, and what was last found wrong among them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from export_pipeline.ledger import cursors
from export_pipeline.ledger.database import Tx, in_chunks
from export_pipeline.ledger.rows import GenerationState, OrderState
from export_pipeline.ledger.schema import generations, orders, scans
from export_pipeline.scans import ScanKey

PROBLEMS_KEPT = 20
_PROBLEMS = "store/problems"


@dataclass(frozen=True)
class Problems:
    """What the last look through the whole store found wrong beside damage to sealed bags.

    Args:
        count: how many problems.
        first: the first `PROBLEMS_KEPT` of them, a sentence each.
    """

    count: int = 0
    first: Sequence[str] = ()


def states(
    tx: Tx, names: Iterable[tuple[ScanKey, int]]
) -> Mapping[tuple[ScanKey, int], tuple[int, GenerationState]]:
    """Those of the generations that the ledger has: scan row id and state of each."""
    wanted = set(names)
    ids = sorted({key.scan for key, _ in wanted})
    query = sa.select(
        generations.c.scan_id,
        generations.c.number,
        generations.c.state,
        scans.c.vendor,
        scans.c.account,
        scans.c.scan,
    ).join(scans)
    rows = [row for some in in_chunks(ids) for row in tx.all(query.where(scans.c.scan.in_(some)))]
    found = {
        (ScanKey(row.vendor, row.account, row.scan), row.number): (
            row.scan_id,
            GenerationState(row.state),
        )
        for row in rows
    }
    return {name: found[name] for name in wanted & found.keys()}


def last_scan_id(tx: Tx) -> int:
    """The highest row id of a scan, 0 without any."""
    return int(tx.connection.execute(sa.select(sa.func.max(scans.c.id))).scalar_one() or 0)


def open_orders(tx: Tx, ids: Sequence[str]) -> set[str]:
    """Those of the orders that the ledger has and has not closed."""
    found: set[str] = set()
    for some in in_chunks(ids):
        is_open = sa.and_(orders.c.id.in_(some), orders.c.state != OrderState.CLOSED)
        query = sa.select(orders.c.id).where(is_open)
        found |= {row.id for row in tx.all(query)}
    return found


def note(tx: Tx, problems: Sequence[str]) -> None:
    """Note what is wrong now, in place of what was before."""
    cursors.save(tx, _PROBLEMS, asdict(Problems(len(problems), problems[:PROBLEMS_KEPT])))


def noted(tx: Tx) -> Problems:
    """What was noted last."""
    return Problems(**(cursors.load(tx, _PROBLEMS) or {}))


def drop(tx: Tx, name: str) -> None:
    """Take out what names a folder or a key of the store."""
    before = noted(tx)
    kept = [one for one in before.first if name not in one]
    gone = len(before.first) - len(kept)
    if gone:
        cursors.save(tx, _PROBLEMS, asdict(Problems(before.count - gone, kept)))
