from collections.abc import Iterator

import pytest

from export_pipeline.ledger import audits, generations, registry
from export_pipeline.ledger.audits import SealedBag
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.scans import ScanKey
from export_pipeline_tests.ledger.conftest import SteppedClock

HOSTILE = 'a/../b%2f;:"<x> ü'
SEAL = "5" * 64
START = 1_800_000_000.0


def seal(tx: Tx, key: ScanKey, size: int = 1_000) -> None:
    """Seal the next generation of the scan."""
    scan, _ = registry.register(tx, key, source="test")
    number = generations.open_next(tx, scan, wants_bag=True)
    generations.freeze(tx, scan.id, number, "archived", 1, size)
    generations.sealed(tx, scan.id, number, SEAL)


@pytest.fixture
def sealed(ledger: Ledger, clock: SteppedClock) -> Iterator[Ledger]:
    """Four bags of three scans, an hour after the other, and a generation that is open."""
    for vendor, scan in (
        ("copyleaks", HOSTILE),
        ("copyleaks", "two"),
        ("laserfiche", "3"),
        ("copyleaks", HOSTILE),
    ):
        with ledger.write() as tx:
            seal(tx, ScanKey(vendor, "default", scan))
        clock.step(3_600)
    with ledger.write() as tx:
        other, _ = registry.register(tx, ScanKey("copyleaks", "eu", "open"), source="test")
        generations.open_next(tx, other, wants_bag=True)
    return ledger


def names(bags: list[SealedBag]) -> list[tuple[str, int]]:
    return [(bag.key.scan, bag.number) for bag in bags]


def every(tx: Tx, **narrowed: object) -> list[SealedBag]:
    return audits.page(tx, limit=100, **narrowed)  # type: ignore[arg-type]


def test_every_sealed_bag_is_paged_in_order_of_registration(sealed: Ledger) -> None:
    with sealed.read() as tx:
        bags = every(tx)
        assert names(bags) == [(HOSTILE, 1), (HOSTILE, 2), ("two", 1), ("3", 1)]
        assert bags[0].seal_sha256 == SEAL
        paged, after = [], (0, 0)
        while page := audits.page(tx, after=after, limit=1):
            paged += page
            after = (page[-1].scan_id, page[-1].number)
        assert paged == bags


def test_bags_are_narrowed_and_counted_alike(sealed: Ledger) -> None:
    with sealed.read() as tx:
        for narrowed, found in (
            ({"newest": True}, [(HOSTILE, 2), ("two", 1), ("3", 1)]),
            ({"vendor": "laserfiche"}, [("3", 1)]),
            ({"account": "eu"}, []),
        ):
            assert names(every(tx, **narrowed)) == found
            whole = {"newest": False, "vendor": None, "account": None, **narrowed}
            assert audits.count(tx, **whole) == len(found)
        first = every(tx)[0]
        assert names(every(tx, scan_id=first.scan_id)) == [(HOSTILE, 1), (HOSTILE, 2)]


def test_sealing_counts_as_verifying_so_that_a_new_bag_is_not_due_before_an_old_one(
    sealed: Ledger, clock: SteppedClock
) -> None:
    with sealed.write() as tx:
        oldest = audits.oldest(tx, before=clock.now, limit=9)
        assert names(oldest) == [(HOSTILE, 1), ("two", 1), ("3", 1), (HOSTILE, 2)]
        assert audits.audited(tx, oldest[0], "") == ""
    clock.step(1)
    with sealed.read() as tx:
        again = audits.oldest(tx, before=clock.now, limit=9)
        assert names(again) == [("two", 1), ("3", 1), (HOSTILE, 2), (HOSTILE, 1)]
        before = audits.oldest(tx, before=START + 5_000, limit=9)
        assert names(before) == [("two", 1)]


def test_the_oldest_are_paged_without_one_twice_although_they_are_noted_meanwhile(
    sealed: Ledger, clock: SteppedClock
) -> None:
    before, after, found = clock.now, (0.0, 0, 0), []
    clock.step(1)
    while True:
        with sealed.write() as tx:
            page = audits.oldest(tx, before=before, after=after, limit=1)
            if not page:
                break
            found += page
            audits.audited(tx, page[0], "")
            after = (page[0].verified_at, page[0].scan_id, page[0].number)
    assert names(found) == [(HOSTILE, 1), ("two", 1), ("3", 1), (HOSTILE, 2)]


def test_damage_is_kept_until_the_bag_is_found_whole(sealed: Ledger, clock: SteppedClock) -> None:
    with sealed.write() as tx:
        (bag, *_) = every(tx)
        assert audits.audited(tx, bag, "it has no seal") == ""
        assert audits.audited(tx, bag, "it has no seal") == "it has no seal"
        found = generations.get(tx, bag.scan_id, bag.number)
        assert (found.damage, found.audited_at) == ("it has no seal", clock.now)
        assert audits.damaged(tx, before=clock.now + 1, limit=9) == ["it has no seal"]
        assert audits.damaged(tx, before=clock.now, limit=9) == []
        assert audits.audited(tx, bag, "") == "it has no seal"
        assert audits.damaged(tx, before=clock.now + 1, limit=9) == []


def test_a_bag_that_the_ledger_does_not_have_is_not_noted(sealed: Ledger) -> None:
    with sealed.write() as tx:
        (bag, *_) = every(tx)
        gone = SealedBag(bag.scan_id, bag.key, 7, 0, "", 0.0)
        assert audits.audited(tx, gone, "") is None
        assert audits.still_there(tx, [bag.scan_id, 999]) == {bag.scan_id}


def test_the_archive_is_measured(sealed: Ledger, clock: SteppedClock) -> None:
    with sealed.read() as tx:
        size = audits.size(tx)
    assert (size.bags, size.bytes, size.oldest, size.at) == (4, 4_000, START, clock.now)


def test_an_archive_without_bags_is_measured(ledger: Ledger, clock: SteppedClock) -> None:
    with ledger.read() as tx:
        assert audits.size(tx) == audits.ArchiveSize(clock.now, 0, 0, None)


def test_a_bag_that_is_sealed_while_the_clock_is_stepped_back_counts_as_verified(
    ledger: Ledger, clock: SteppedClock
) -> None:
    """As for a reader of SQLite, which reads the time before a seal that it sees."""
    with ledger.write() as tx:
        seal(tx, ScanKey("copyleaks", "default", HOSTILE))
    for seconds, oldest in ((0.001, START), (3_599.0, START), (2.0, 0.0)):
        clock.step(-seconds)
        with ledger.read() as tx:
            assert audits.size(tx).oldest == oldest


def test_what_was_verified_while_the_clock_was_ahead_is_due_first(
    sealed: Ledger, clock: SteppedClock
) -> None:
    """Else it would be due again only when that time has come, years later."""
    with sealed.read() as tx:
        *_, last = every(tx)
    clock.step(10 * 365 * 86_400)
    with sealed.write() as tx:
        audits.audited(tx, last, "it changed")
    clock.step(-10 * 365 * 86_400)
    with sealed.read() as tx:
        size = audits.size(tx)
        assert size.oldest == 0
        due = audits.oldest(tx, before=size.at, limit=9)
        assert names(due)[0] == (last.key.scan, last.number)
        assert len(due) == 4
        assert audits.damaged(tx, before=size.at, limit=9) == ["it changed"]
    with sealed.write() as tx:
        audits.audited(tx, last, "")
    with sealed.read() as tx:
        assert audits.size(tx).oldest == START
