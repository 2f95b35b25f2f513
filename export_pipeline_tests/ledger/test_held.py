"""A lease that is held as long as something is done, and no longer."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.ledger import held, leases
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.ledger.held import copying, take
from export_pipeline.ledger.home import make_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = make_ledger(sqlite_url(tmp_path))
    yield made
    made.close()


def copied(ledger: Ledger) -> str | None:
    with ledger.read() as tx:
        return leases.held_now(tx, leases.COPYING)


def test_it_outlasts_its_first_term_and_ends_with_the_work(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "LEASE_SECONDS", 1.0)

    async def work() -> None:
        async with copying(ledger, "a table"):
            await asyncio.sleep(2.5)
            assert copied(ledger) == "a table"

    asyncio.run(work())
    assert copied(ledger) is None


def test_it_ends_with_work_that_fails(ledger: Ledger) -> None:
    async def work() -> None:
        async with copying(ledger, "a table"):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(work())
    assert copied(ledger) is None


def test_another_owner_does_not_get_it(ledger: Ledger) -> None:
    assert asyncio.run(take(ledger, "name", "one"))
    assert not asyncio.run(take(ledger, "name", "two"))
    assert asyncio.run(take(ledger, "name", "one"))
