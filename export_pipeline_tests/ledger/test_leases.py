from export_pipeline.ledger import leases
from export_pipeline.ledger.database import Ledger
from export_pipeline_tests.ledger.conftest import SteppedClock


def test_a_lease_has_one_owner_until_it_ends_or_is_released(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        assert not leases.is_held(tx, "sender")
        assert leases.acquire(tx, "sender", "me", 60)
        assert not leases.acquire(tx, "sender", "other", 60)
        assert leases.acquire(tx, "receiver", "other", 60)
        leases.release(tx, "sender", "other")
        assert leases.is_held(tx, "sender")
        leases.release(tx, "sender", "me")
        assert leases.acquire(tx, "sender", "other", 60)
    clock.step(60)
    with ledger.write() as tx:
        assert not leases.is_held(tx, "sender")
        assert leases.acquire(tx, "sender", "me", 60)


def test_its_owner_renews_a_lease(ledger: Ledger, clock: SteppedClock) -> None:
    for _ in range(3):
        with ledger.write() as tx:
            assert leases.acquire(tx, "sender", "me", 60)
        clock.step(59)
    with ledger.write() as tx:
        assert not leases.acquire(tx, "sender", "other", 60)


def test_leases_of_the_dead_are_found_by_the_beginning_of_their_names(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        for name in ("run:one", "run_two", "RUN:three"):
            leases.acquire(tx, name, "me", 60)
        leases.acquire(tx, "run:alive", "me", 120)
        assert leases.expired(tx, "run:") == []
    clock.step(60)
    with ledger.write() as tx:
        assert leases.expired(tx, "run:") == ["run:one"]
