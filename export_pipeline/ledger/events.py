"""A scan's history: what happened to it, in order, in words that `scans show` prints."""

from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.prepared import prepared
from export_pipeline.ledger.rows import Event
from export_pipeline.ledger.schema import events


def record(tx: Tx, scan_id: int, event: str, order_id: str | None = None, **detail: Any) -> None:
    """Add one line; `detail` holds names and numbers only, never an endpoint or a credential."""
    tx.run(_insert(scan_id=scan_id, order_id=order_id, at=tx.now, event=event, detail=detail))


def history(tx: Tx, scan_id: int) -> list[Event]:
    """Every line of the scan, oldest first."""
    return [Event(*row) for row in tx.all(_history(scan_id))]


@prepared
def _insert(**values: Any) -> sa.Insert:
    return sa.insert(events).values(**values)


@prepared
def _history(scan_id: int) -> sa.Select[Any]:
    columns = (events.c.at, events.c.event, events.c.order_id, events.c.detail)
    return sa.select(*columns).where(events.c.scan_id == scan_id).order_by(events.c.id)
