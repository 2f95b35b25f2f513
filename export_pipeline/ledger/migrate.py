"""Bring a ledger to the revision of this release."""

from pathlib import Path

import sqlalchemy as sa

from export_pipeline.errors import LedgerTooNew
from export_pipeline.ledger.database import Ledger, Tx

REVISION = "0001"
"""The newest file in `migrations/versions`."""

_VERSIONS = sa.table("alembic_version", sa.column("version_num", sa.Text))


def revision(tx: Tx) -> str | None:
    """The ledger's revision, None if it has no tables yet."""
    if not sa.inspect(tx.connection).has_table(_VERSIONS.name):
        return None
    row = tx.one_or_none(sa.select(_VERSIONS.c.version_num))
    return None if row is None else str(row.version_num)


def migrate(ledger: Ledger) -> None:
    """Make the tables, or change those of an older release; one process does, others wait.

    All in one writing transaction: it is done whole or not at all.

    Raises:
        LedgerTooNew: a newer release wrote this ledger; nothing was changed.
    """
    with ledger.read() as tx:
        if revision(tx) == REVISION:
            return
    with ledger.write() as tx:
        _upgrade(ledger, tx)


def _upgrade(ledger: Ledger, tx: Tx) -> None:
    # Imported here since most starts find nothing to do, and it takes a third of a second.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config(attributes={"connection": tx.connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = revision(tx)
    if found is not None and found not in known:
        raise LedgerTooNew(
            f"the ledger {ledger.name} is at revision {found}, this release knows revisions up to"
            f" {REVISION}: install the newer export-pipeline that wrote it"
        )
    command.upgrade(config, REVISION)
