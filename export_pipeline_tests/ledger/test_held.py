"""A lease that is held as long as something is done, and no longer."""

import asyncio

import pytest
from sqlalchemy.exc import OperationalError

from export_pipeline.ledger import held, leases
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.held import LEASE_SECONDS, copying, take
from export_pipeline_tests.ledger.conftest import SteppedClock
from export_pipeline_tests.ledger.renewing import renewed


def copied(ledger: Ledger) -> str | None:
    with ledger.read() as tx:
        return leases.held_now(tx, leases.COPYING)


def test_it_outlasts_its_first_term_and_ends_with_the_work(
    ledger: Ledger, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "RENEWALS_PER_LEASE", 100 * LEASE_SECONDS)

    async def work() -> None:
        async with copying(ledger, "a table"):
            for _ in range(3):
                clock.step(LEASE_SECONDS - 1)
                assert copied(ledger) == "a table"
                await renewed(ledger, clock, LEASE_SECONDS)

    asyncio.run(work())
    assert copied(ledger) is None


def test_it_ends_with_work_that_fails(ledger: Ledger) -> None:
    async def work() -> None:
        async with copying(ledger, "a table"):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(work())
    assert copied(ledger) is None


def test_a_renewal_that_fails_once_costs_neither_the_lease_nor_the_work(
    ledger: Ledger, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that was busy for once: what was done meanwhile failed with it at its end."""
    monkeypatch.setattr(held, "RENEWALS_PER_LEASE", 100 * LEASE_SECONDS)
    fails = iter([True])
    taking = held.take

    async def once(*args: str) -> bool:
        if next(fails, False):
            raise OperationalError("BEGIN IMMEDIATE", None, Exception("database is locked"))
        return await taking(ledger, *args[1:])

    async def work() -> None:
        async with copying(ledger, "a table"):
            monkeypatch.setattr(held, "take", once)
            clock.step(LEASE_SECONDS - 1)
            await renewed(ledger, clock, LEASE_SECONDS)

    asyncio.run(work())
    assert next(fails, None) is None
    assert copied(ledger) is None


def test_another_owner_does_not_get_it(ledger: Ledger) -> None:
    assert asyncio.run(take(ledger, "name", "one"))
    assert not asyncio.run(take(ledger, "name", "two"))
    assert asyncio.run(take(ledger, "name", "one"))
