"""Open the ledger of a home, or make it."""

from export_pipeline.errors import NoLedger
from export_pipeline.ledger.database import Clock, Ledger, database_clock, require_ledger
from export_pipeline.ledger.migrate import migrate, revision


def open_ledger(url: str, clock: Clock = database_clock) -> Ledger:
    """The ledger that is there, at this release's revision; makes none.

    Raises:
        NoLedger: there is none yet.
        LedgerTooNew: a newer release wrote it.
    """
    require_ledger(url)
    ledger = Ledger(url, clock)
    try:
        with ledger.read() as tx:
            found = revision(tx)
        if found is None:
            raise NoLedger(
                f"no ledger in {ledger.name}: make one with `export-pipeline check --init`"
            )
        migrate(ledger)
    except BaseException:
        ledger.close()
        raise
    return ledger


def make_ledger(url: str, clock: Clock = database_clock) -> Ledger:
    """The ledger, made first if it is not there; for SQLite its folder must exist.

    Raises:
        LedgerTooNew: a newer release wrote it.
    """
    ledger = Ledger(url, clock)
    try:
        migrate(ledger)
    except BaseException:
        ledger.close()
        raise
    return ledger
