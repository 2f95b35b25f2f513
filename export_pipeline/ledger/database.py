"""The ledger's database: transactions, its clock, and group commit."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from export_pipeline.errors import ConfigError, NoLedger
from export_pipeline.ledger.tx import Tx
from export_pipeline.ledger.writer import Piece, Writer

__all__ = ["Ledger", "Tx", "database_clock", "in_chunks", "require_ledger", "sqlite_url"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Clock = Callable[[sa.Connection], float]

BUSY_TIMEOUT_SECONDS = 30.0
IDLE_TIMEOUT_SECONDS = 60.0
"""After this long a frozen writer loses its Postgres transaction, so that others can go on."""
BACKENDS = ("sqlite", "postgresql")
WRITER_LOCK = 0x6578706F7274
"""Postgres advisory lock that each writing transaction holds."""
KEYS_PER_QUERY = 500
"""Names in one IN list: SQLite allows 32,766 variables, and plans longer lists badly."""

_EMPTY_THE_LOG = "PRAGMA wal_checkpoint(TRUNCATE)"
_LOG_IN_USE = (
    "deleted rows in the ledger's write-ahead log, which a process was reading: they go when it is"
    " written out, at the latest when every process that uses the ledger has stopped"
)
_AFTER_DELETION_ON_POSTGRES = (
    "bytes of deleted rows in the ledger's tables, until Postgres uses their space again: `VACUUM"
    " (FULL, ANALYZE)` by the tables' owner removes them at once, locks each table meanwhile and"
    " needs its size again on the disk; in its write-ahead log and its archive until they end"
)

_NOW = {
    # SQLite 3.40 (Debian 12) has no unixepoch('subsec'); its 'now' has milliseconds.
    "sqlite": sa.text("SELECT (julianday('now') - 2440587.5) * 86400.0"),
    "postgresql": sa.text("SELECT extract(epoch FROM clock_timestamp())::float8"),
}


def database_clock(connection: sa.Connection) -> float:
    """Return seconds since the epoch by the database's own clock, one for all processes."""
    return float(connection.execute(_NOW[connection.dialect.name]).scalar_one())


def in_chunks(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut `keys` into pieces of at most `KEYS_PER_QUERY`."""
    for start in range(0, len(keys), KEYS_PER_QUERY):
        yield keys[start : start + KEYS_PER_QUERY]


class Ledger:
    """A handle on the ledger; cheap to share between threads, one per process.

    Args:
        url: SQLAlchemy URL; SQLite and Postgres are supported.
        clock: the time of a transaction; the database's own by default.
    """

    def __init__(self, url: str, clock: Clock = database_clock) -> None:
        self.url = sa.make_url(url)
        self._clock = clock
        self._engine = _engine(self.url)
        self._writer: Writer | None = None
        self._writer_lock = threading.Lock()
        self._compiled: dict[sa.Select[Any], SQLCompiler] = {}

    @property
    def name(self) -> str:
        """What messages call it: its URL without the password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def engine(self) -> sa.Engine:
        """The engine, for migrations."""
        return self._engine

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A writing transaction: one at a time over all processes, each waits for its turn.

        So on SQLite (`BEGIN IMMEDIATE`) and so on Postgres (an advisory lock): what a transaction
        has read stays true until it commits, and none deadlocks.
        """
        with self._engine.connect() as connection, connection.begin():
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITER_LOCK)))
            yield Tx(connection, self._clock(connection))

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A reading transaction: one consistent view, never waits for writers."""
        with self._engine.connect() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            if not is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                if is_sqlite:
                    connection.exec_driver_sql("BEGIN")
                yield Tx(connection, self._clock(connection))

    async def apply(
        self, work: Callable[Concatenate[Tx, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `work(tx, ...)` in a writing transaction off the event loop; durable on return.

        Work of many tasks shares commits (one fsync for up to `GROUP_LIMIT`); each piece has its
        own savepoint, so that one that raises undoes only itself. Cancelled before its turn, work
        is not done; later, it is done although nobody waits for it.
        """
        with self._writer_lock:
            if self._writer is None:
                self._writer = Writer(self.write)
            future = asyncio.get_running_loop().create_future()
            self._writer.submit(Piece(lambda tx: work(tx, *args, **kwargs), future))
        return cast("R", await future)

    async def look(
        self, work: Callable[Concatenate[Tx, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run `work(tx, ...)` in a reading transaction off the event loop."""

        def reading() -> R:
            with self.read() as tx:
                return work(tx, *args, **kwargs)

        return await asyncio.to_thread(reading)

    def glance(self, statement: sa.Select[Any], **values: str | int) -> tuple[Any, ...] | None:
        """Return the first row of one query, without what a transaction costs around it.

        For what is asked at every request: measured on SQLite, 60 us against 260 by `read`.

        Args:
            statement: built once, of columns that need no conversion.
            values: of its parameters.

        Raises:
            SQLAlchemyError: the database failed, as by every other way to read.
        """
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = statement.compile(dialect=self._engine.dialect)
            self._compiled[statement] = compiled
        named = compiled.construct_params(values)
        order = compiled.positiontup
        parameters = named if order is None else tuple(named[name] for name in order)
        try:
            row = self._first_row(compiled.string, parameters)
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise sa.exc.DBAPIError(compiled.string, None, error, hide_parameters=True) from None
        return None if row is None else tuple(row)

    def _first_row(self, query: str, parameters: Any) -> Any:
        with closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(query, parameters)
            row = cursor.fetchone()
            cursor.close()
        return row

    def wipe(self) -> str:
        """Let no byte of what was deleted stay in the database's files.

        Returns:
            What stays all the same and how to remove it, in words; "" if nothing does.
        """
        if self._engine.dialect.name == "postgresql":
            return _AFTER_DELETION_ON_POSTGRES
        with closing(self._engine.raw_connection()) as connection:
            (busy, *_) = connection.cursor().execute(_EMPTY_THE_LOG).fetchone()
        return _LOG_IN_USE if busy else ""

    def close(self) -> None:
        """Finish the group writer's work and close all connections."""
        with self._writer_lock:
            if self._writer is not None:
                self._writer.stop()
                self._writer = None
        self._engine.dispose()


def _engine(url: sa.URL) -> sa.Engine:
    # Without hide_parameters an error's text would quote webhook bodies.
    if url.get_backend_name() == "postgresql":
        try:
            engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
        except ImportError as error:
            raise ConfigError(
                f"EXPORT_LEDGER_URL begins with {url.drivername}://, and {error.name} is not"
                " installed here: use postgresql+psycopg2:// and `pip install"
                " 'export-pipeline[postgres]'`"
            ) from None
        sa.event.listen(engine, "connect", _configure_postgres)
        return engine
    if url.get_backend_name() != "sqlite":
        raise ConfigError(
            f"EXPORT_LEDGER_URL names a {url.get_backend_name()} database: use a URL that begins"
            " with sqlite:/// or postgresql+psycopg2://"
        )
    engine = sa.create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _configure_sqlite)
    return engine


def _configure_postgres(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{BUSY_TIMEOUT_SECONDS}s'")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT_SECONDS}s'")
    connection.commit()


def _configure_sqlite(connection: Any, _record: object) -> None:
    # The driver's own BEGIN is deferred and fails at once under a second writer: `Ledger` begins.
    connection.isolation_level = None
    _use_wal(connection)
    # What is deleted is overwritten with zeros: somebody may have asked that it be forgotten.
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: Any) -> None:
    # For this one lock SQLite's own time-out does not wait: new ledgers are opened by many at once.
    give_up = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def sqlite_url(home: Path) -> str:
    """The URL of the ledger that lies in a home folder."""
    return f"sqlite:///{home / 'ledger.sqlite'}"


def require_ledger(url: str) -> None:
    """Refuse a SQLite ledger that is not there, before connecting would create it.

    Raises:
        NoLedger: names the path and how to make one.
    """
    database = sa.make_url(url)
    if database.get_backend_name() == "sqlite" and not Path(database.database or "").exists():
        raise NoLedger(
            f"no ledger at {database.database}: name a home with --home or EXPORT_PIPELINE_HOME,"
            " or make one with `export-pipeline check --init`"
        )
