"""A transaction of the ledger, as all of its modules use it."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from export_pipeline.ledger.prepared import Bound

Statement = sa.Executable | Bound


@dataclass(frozen=True)
class Tx:
    """One open transaction and the time at which it began."""

    connection: sa.Connection
    now: float

    def execute(self, statement: Statement, rows: Any = None) -> sa.CursorResult[Any]:
        """Run a statement, built now or once (`prepared`); a change for each of `rows`."""
        if isinstance(statement, Bound):
            return self.connection.execute(statement.statement, statement.values)
        return self.connection.execute(statement, rows)

    def all(self, statement: Statement) -> list[sa.Row[Any]]:
        """Run a query, return all rows."""
        return list(self.execute(statement))

    def one_or_none(self, statement: Statement) -> sa.Row[Any] | None:
        """Run a query, return its first row, None if it has none."""
        return self.execute(statement).first()

    def run(self, statement: Statement, rows: Any = None) -> int:
        """Run a change, return how many rows it touched; or, for each of `rows`, an insert."""
        return self.execute(statement, rows).rowcount
