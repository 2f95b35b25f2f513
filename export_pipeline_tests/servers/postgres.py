"""A throw-away Postgres cluster on a Unix socket of its own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import sqlalchemy as sa

HOW_TO_GET_IT = (
    "no Postgres server here: `apt-get install postgresql`, or put initdb and pg_ctl on PATH"
)
UNPRIVILEGED_USERS = ("postgres", "nobody")


class PostgresCluster:
    """A running cluster; each database is asked for by `new_database`."""

    def __init__(self, folder: Path, user: str) -> None:
        self._folder = folder
        self._user = user
        self._names = (f"ledger_{number}" for number in count(1))

    def new_database(self) -> str:
        """Make an empty database, return its SQLAlchemy URL."""
        name = next(self._names)
        engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg2://{self._user}@/{database}?host={self._folder}"


def find_binaries() -> Path | None:
    """The folder with initdb and pg_ctl, None where Postgres is not installed."""
    initdb = shutil.which("initdb")
    if initdb is not None:
        return Path(initdb).resolve().parent
    return max(
        (found.parent for found in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None
    )


@contextmanager
def running_postgres(binaries: Path) -> Iterator[PostgresCluster]:
    """Make and start a cluster, stop and delete it afterwards."""
    user = _unprivileged_user()
    # Not pytest's folder: only its owner may enter that, and a socket's path has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="ledger-pg-"))
    os.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "data"
    settings = f"-k {folder} -c listen_addresses= -c fsync=off -c full_page_writes=off"
    start = ["pg_ctl", "start", "-w", "-D", data, "-l", folder / "log", "-o", settings]
    stop = ["pg_ctl", "stop", "-m", "immediate", "-D", data]

    def run(program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [binaries / program, *arguments],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            **_as_user(user),
        )

    try:
        run("initdb", "-D", data, "-A", "trust", "-U", user.pw_name, "--no-sync")
        run(*start)
        try:
            yield PostgresCluster(folder, user.pw_name)
        finally:
            run(*stop)
    finally:
        shutil.rmtree(folder)


def _unprivileged_user() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in UNPRIVILEGED_USERS if name in known)


def _as_user(user: pwd.struct_passwd) -> dict[str, object]:
    # initdb and postgres refuse to run as root.
    if os.geteuid() != 0:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
