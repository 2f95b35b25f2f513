"""A scan's history: what happened to it, in order, in words that `scans show` prints."""

from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Event
from export_pipeline.ledger.schema import events


def record(tx: Tx, scan_id: int, event: str, order_id: str | None = None, **detail: Any) -> None:
    """Add one line; `detail` holds names and numbers only, never an endpoint or a credential."""
    tx.run(
        sa.insert(events).values(
            scan_id=scan_id, order_id=order_id, at=tx.now, event=event, detail=detail
        )
    )


def history(tx: Tx, scan_id: int) -> list[Event]:
    """Every line of the scan, oldest first."""
    query = sa.select(events).where(events.c.scan_id == scan_id).order_by(events.c.id)
    return [Event(row.at, row.event, row.order_id, row.detail) for row in tx.all(query)]
