"""Leases: who does what right now, so that a crash frees it and two never do it at once."""

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.schema import leases

COPYING = "copy:"
"""Before a name: the lease of who copies there what is known of scans."""
SEALING = "seal:"
"""Before the folder of a bag: names the lease of who seals it."""
WRITING = "write:"
"""Before a key of the store: names the lease of who writes it."""


def acquire(tx: Tx, name: str, owner: str, seconds: float) -> bool:
    """Take or renew the lease for `seconds`; False while another owner's has not expired."""
    held = tx.one_or_none(sa.select(leases).where(leases.c.name == name))
    if held is not None and held.owner != owner and held.until > tx.now:
        return False
    until = tx.now + seconds
    if held is None:
        tx.run(sa.insert(leases).values(name=name, owner=owner, until=until))
    else:
        tx.run(sa.update(leases).where(leases.c.name == name).values(owner=owner, until=until))
    return True


def release(tx: Tx, name: str, owner: str) -> None:
    """Give the lease back, if it is still this owner's."""
    tx.run(sa.delete(leases).where(leases.c.name == name, leases.c.owner == owner))


def is_held(tx: Tx, name: str) -> bool:
    """Whether somebody holds the lease now."""
    held = sa.select(leases.c.name).where(leases.c.name == name, leases.c.until > tx.now)
    return tx.one_or_none(held) is not None


def expired(tx: Tx, prefix: str) -> list[str]:
    """Names that begin with `prefix` whose owners stopped renewing them without a release."""
    late = sa.select(leases.c.name).where(begins(prefix), leases.c.until <= tx.now)
    return [row.name for row in tx.all(late.order_by(leases.c.until))]


def held_now(tx: Tx, prefix: str) -> str | None:
    """The rest of a name that begins with `prefix` and that somebody holds now, None if none is."""
    held = sa.select(leases.c.name).where(begins(prefix), leases.c.until > tx.now)
    row = tx.one_or_none(held.order_by(leases.c.name).limit(1))
    return None if row is None else str(row.name).removeprefix(prefix)


def begins(prefix: str) -> sa.ColumnElement[bool]:
    """Whether a lease's name begins so."""
    # Not LIKE, which on SQLite takes capitals and small letters for the same.
    return sa.func.substr(leases.c.name, 1, len(prefix)) == prefix
