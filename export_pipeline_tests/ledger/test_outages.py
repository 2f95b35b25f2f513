"""A disk that is full and a connection that is lost: what was told is what is there."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from export_pipeline.ledger import inbox
from export_pipeline.ledger.database import Ledger, Tx, sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.ledger.schema import inbox as letters
from export_pipeline_tests.servers.postgres import PostgresCluster

LETTER_BYTES = 20_000
ROOM_PAGES = 100
"""Of 4 KB each: beside what an empty ledger takes there is room for some letters, not for all."""


def receive(tx: Tx, name: str) -> int:
    where = {"vendor": "copyleaks", "account": "default", "topic": inbox.ORDERS}
    return inbox.receive(tx, **where, subject=name, headers={}, body=bytes(LETTER_BYTES))


def lose(tx: Tx, _name: str) -> int:
    tx.run(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    raise AssertionError("the connection is still there")


async def post(ledger: Ledger, names: list[str], lost: str = "") -> dict[str, Any]:
    """What each of the callers, all at once, was told."""
    told = await asyncio.gather(
        *[ledger.apply(lose if name == lost else receive, name) for name in names],
        return_exceptions=True,
    )
    return dict(zip(names, told, strict=True))


def there(ledger: Ledger) -> set[str]:
    with ledger.read() as tx:
        return {row.subject for row in tx.all(sa.select(letters.c.subject))}


def well(told: dict[str, Any]) -> set[str]:
    assert all(isinstance(one, int | SQLAlchemyError) for one in told.values()), told
    return {name for name, one in told.items() if isinstance(one, int)}


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger whose disk has no more room than `ROOM_PAGES`."""
    made = make_ledger(sqlite_url(tmp_path))
    with made.read() as tx:
        pages = int(tx.execute(sa.text("PRAGMA page_count")).scalar_one()) + ROOM_PAGES

    @sa.event.listens_for(made.engine, "connect")
    def limit(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    made.engine.dispose()
    yield made
    made.close()


def test_what_a_full_disk_did_not_take_is_told_and_the_rest_is_there(full: Ledger) -> None:
    told = asyncio.run(post(full, [f"letter-{number}" for number in range(60)]))
    failed = told.keys() - well(told)
    assert failed
    assert well(told) == there(full)
    with full.write() as tx:
        tx.run(sa.delete(letters))
    assert well(asyncio.run(post(full, ["after"]))) == there(full) == {"after"}


def test_a_connection_that_is_lost_undoes_what_shared_it_and_all_are_told(
    postgres: PostgresCluster,
) -> None:
    ledger = make_ledger(postgres.new_database())
    names = [f"letter-{number}" for number in range(20)]
    told = asyncio.run(post(ledger, names, lost="letter-10"))
    assert "letter-10" not in well(told)
    assert well(told) == there(ledger)
    again = asyncio.run(post(ledger, ["after"]))
    assert well(again) == {"after"}
    assert there(ledger) == well(told) | {"after"}
    ledger.close()
