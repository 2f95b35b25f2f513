"""A ledger of its own for each test, on both databases, with a clock that the test steps."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from export_pipeline.ledger import registry
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.rows import Scan
from export_pipeline.scans import ScanKey
from export_pipeline_tests.servers.postgres import (
    HOW_TO_GET_IT,
    PostgresCluster,
    find_binaries,
    running_postgres,
)


class SteppedClock:
    """A ledger's clock that stands still until it is stepped."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self, _connection: sa.Connection) -> float:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    binaries = find_binaries()
    if binaries is None:
        pytest.skip(HOW_TO_GET_IT)
    with running_postgres(binaries) as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that is yet to be made."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def ledger(url: str, clock: SteppedClock) -> Iterator[Ledger]:
    ledger = make_ledger(url, clock)
    yield ledger
    ledger.close()


@pytest.fixture
def scan(ledger: Ledger) -> Scan:
    with ledger.write() as tx:
        return registry.register(tx, ScanKey("copyleaks", "default", "one"), source="test")[0]
