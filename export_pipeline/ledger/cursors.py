"""Values by name that last from one look to the next: how far something was read, what it found."""

from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.schema import cursors


def load(tx: Tx, name: str) -> Any | None:
    """The cursor's JSON value, None before its first move."""
    row = tx.one_or_none(sa.select(cursors.c.value).where(cursors.c.name == name))
    return None if row is None else row.value


def save(tx: Tx, name: str, value: Any) -> None:
    """Move the cursor, in the transaction that keeps what was read up to there."""
    if not tx.run(sa.update(cursors).where(cursors.c.name == name).values(value=value)):
        tx.run(sa.insert(cursors).values(name=name, value=value))
