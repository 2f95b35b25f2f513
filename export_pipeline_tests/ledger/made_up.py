"""Made-up scans in any state, written straight into the tables, as many as wanted."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.schema import generations, orders, scans

_SCAN = {
    "vendor": "copyleaks",
    "account": "default",
    "reason": "",
    "source": "made up",
    "details": {},
    "generation": 0,
    "expires_at": None,
    "activate": False,
}


def add_scans(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Add scans (`scan`, `state`, and what differs from a plain one); their row ids, in order."""
    first = (tx.connection.execute(sa.select(sa.func.max(scans.c.id))).scalar_one() or 0) + 1
    made = [
        {**_SCAN, "registered_at": tx.now, "id": first + index, **row}
        for index, row in enumerate(rows)
    ]
    tx.run(sa.insert(scans), made)
    return [row["id"] for row in made]


def add_generations(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add sealed generations (`scan_id`, and what differs from an archived one)."""
    plain = {
        "number": 1,
        "state": "sealed",
        "verdict": "archived",
        "wants_bag": True,
        "files": 6,
        "bytes": 1_000,
        "opened_at": tx.now,
        "sealed_at": tx.now,
        "audited_at": None,
        "damage": "",
    }
    tx.run(sa.insert(generations), [{**plain, **row} for row in rows])


def add_orders(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add orders (`id`, `scan_id`, `state`, and what differs from a plain one)."""
    plain = {
        "vendor": "copyleaks",
        "account": "default",
        "generation": 1,
        "part": 0,
        "attempt": 1,
        "reason": "",
        "outcome": "",
        "queue_class": 2,
        "sends": 1,
        "queued_at": tx.now,
        "not_before": tx.now,
        "sent_at": None,
        "deadline": None,
    }
    tx.run(sa.insert(orders), [{**plain, **row} for row in rows])
