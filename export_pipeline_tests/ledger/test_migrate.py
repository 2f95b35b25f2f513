import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from export_pipeline.errors import LedgerTooNew, NoLedger
from export_pipeline.ledger import registry
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.ledger.home import make_ledger, open_ledger
from export_pipeline.ledger.migrate import REVISION, migrate, revision
from export_pipeline.ledger.schema import metadata
from export_pipeline.scans import ScanKey

MAKE = """
import sys
from export_pipeline.ledger.home import make_ledger
print("ready", flush=True)
sys.stdin.readline()
make_ledger(sys.argv[1]).close()
print("alembic" in sys.modules)
"""


def test_migrations_make_exactly_the_tables_of_the_schema(ledger: Ledger) -> None:
    with ledger.write() as tx:
        context = MigrationContext.configure(tx.connection)
        assert compare_metadata(context, metadata) == []
        assert revision(tx) == REVISION


def test_a_revision_that_fails_half_way_leaves_nothing_behind(url: str) -> None:
    ledger = Ledger(url)
    with ledger.write() as tx:
        tx.connection.execute(sa.text("CREATE TABLE reports (id INTEGER)"))
    with pytest.raises(sa.exc.DBAPIError, match="reports"):
        migrate(ledger)
    with ledger.read() as tx:
        assert sa.inspect(tx.connection).get_table_names() == ["reports"]
    ledger.close()


def test_four_processes_that_start_at_once_make_one_ledger(url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert all(process.communicate()[0] for process in processes)
    assert [process.returncode for process in processes] == [0] * 4
    ledger = open_ledger(url)
    with ledger.write() as tx:
        assert registry.register(tx, ScanKey("v", "a", "one"), source="test")[1]
    ledger.close()


def test_a_ledger_of_this_revision_is_opened_without_importing_alembic(
    ledger: Ledger, url: str
) -> None:
    again = subprocess.run(
        [sys.executable, "-c", MAKE, url], input="go\n", capture_output=True, text=True, check=True
    )
    assert again.stdout == "ready\nFalse\n"


def test_the_ledger_of_a_newer_release_is_refused_and_left_as_it_is(
    ledger: Ledger, url: str
) -> None:
    with ledger.write() as tx:
        tx.connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for opener in (open_ledger, make_ledger):
        with pytest.raises(LedgerTooNew, match=r"revision 9999.*install the newer"):
            opener(url)
    with ledger.read() as tx:
        assert revision(tx) == "9999"


def test_opening_makes_no_ledger_and_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NoLedger, match=f"no ledger at {tmp_path}.*check --init"):
        open_ledger(sqlite_url(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_the_ledgers_tables_is_no_ledger(url: str) -> None:
    empty = Ledger(url)
    with empty.read():
        pass
    with pytest.raises(NoLedger, match=r"no ledger in .*check --init"):
        open_ledger(url)
    with empty.read() as tx:
        assert sa.inspect(tx.connection).get_table_names() == []
    empty.close()


def test_messages_show_no_password() -> None:
    ledger = Ledger("postgresql+psycopg2://user:secret@host/db")
    assert ledger.name == "postgresql+psycopg2://user:***@host/db"
