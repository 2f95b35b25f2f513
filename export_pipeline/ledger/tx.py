"""A transaction of the ledger, as all of its modules use it."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True)
class Tx:
    """One open transaction and the time at which it began."""

    connection: sa.Connection
    now: float

    def all(self, statement: sa.Executable) -> list[sa.Row[Any]]:
        """Run a query, return all rows."""
        return list(self.connection.execute(statement))

    def one_or_none(self, statement: sa.Executable) -> sa.Row[Any] | None:
        """Run a query, return its first row, None if it has none."""
        return self.connection.execute(statement).first()

    def run(self, statement: sa.Executable, rows: Any = None) -> int:
        """Run a change, return how many rows it touched; or, for each of `rows`, an insert."""
        return self.connection.execute(statement, rows).rowcount
