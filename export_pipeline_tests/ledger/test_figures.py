from export_pipeline.ledger import figures
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.figures import DAY_SECONDS, Durations, SealedDay, StateCount
from export_pipeline.ledger.rows import ScanState
from export_pipeline_tests.ledger.conftest import SteppedClock
from export_pipeline_tests.ledger.made_up import add_generations, add_scans

HOSTILE = 'a/../b%2f;:"<x>'


def test_scans_are_counted_by_vendor_and_state(ledger: Ledger) -> None:
    with ledger.write() as tx:
        add_scans(tx, [{"scan": f"{n}", "state": "archived"} for n in range(3)])
        add_scans(tx, [{"scan": "4", "state": "failed", "account": "eu"}])
        add_scans(tx, [{"scan": "5", "state": "failed", "vendor": "laserfiche"}])
        assert set(figures.states(tx)) == {
            StateCount("copyleaks", ScanState.ARCHIVED, 3),
            StateCount("copyleaks", ScanState.FAILED, 1),
            StateCount("laserfiche", ScanState.FAILED, 1),
        }


def test_what_was_sealed_is_summed_by_day(ledger: Ledger) -> None:
    day = 20_000
    with ledger.write() as tx:
        ids = add_scans(tx, [{"scan": f"{n}", "state": "archived"} for n in range(4)])
        moments = [day * DAY_SECONDS, (day + 1) * DAY_SECONDS - 1, (day + 3) * DAY_SECONDS + 7]
        add_generations(
            tx,
            [
                {"scan_id": one, "sealed_at": at, "bytes": 10}
                for one, at in zip(ids, moments, strict=False)
            ],
        )
        add_generations(tx, [{"scan_id": ids[3], "state": "open", "sealed_at": None}])
        assert figures.sealed_days(tx) == [SealedDay(day, 2, 20), SealedDay(day + 3, 1, 10)]


def test_the_half_and_95_of_100_are_values_that_were_measured(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        ids = add_scans(tx, [{"scan": f"{n}", "state": "archived"} for n in range(102)])
        (far,) = add_scans(tx, [{"scan": "far", "state": "archived", "vendor": "laserfiche"}])
        rows = [
            {"scan_id": one, "opened_at": clock.now - seconds}
            for seconds, one in enumerate(reversed(ids[:100]), 1)
        ]
        old = {"opened_at": 0, "sealed_at": clock.now - 100}
        add_generations(tx, [*rows, {"scan_id": far, "opened_at": clock.now - 7}])
        add_generations(tx, [{"scan_id": ids[100], **old}])
        assert figures.durations(tx, since=clock.now - 50) == [
            Durations("copyleaks", 100, 50.0, 95.0),
            Durations("laserfiche", 1, 7.0, 7.0),
        ]
        assert figures.durations(tx, since=clock.now + 1) == []


def test_damage_is_told_oldest_first_and_what_is_not_sealed_has_none(ledger: Ledger) -> None:
    with ledger.write() as tx:
        names = [HOSTILE, "two", "three"]
        ids = add_scans(tx, [{"scan": name, "state": "archived"} for name in names])
        bad = {"damage": "changed", "audited_at": tx.now - 5}
        add_generations(
            tx,
            [
                {"scan_id": ids[0], **bad, "number": 2},
                {"scan_id": ids[1], **bad, "audited_at": tx.now - 9},
                {"scan_id": ids[2], **bad, "state": "abandoned"},
            ],
        )
        found = figures.damaged(tx, 20)
        assert [(one.key.scan, one.generation, one.words) for one in found] == [
            ("two", 1, "changed"),
            (HOSTILE, 2, "changed"),
        ]
        assert len(figures.damaged(tx, 1)) == 1
        assert figures.count_never_audited(tx) == 0


def test_scans_that_end_soon_are_those_that_are_not_settled(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        soon = {"expires_at": clock.now + 50}
        add_scans(
            tx,
            [
                {"scan": "later", "state": "registered", "expires_at": clock.now + 500},
                {"scan": "soon", "state": "ordered", **soon},
                {"scan": "past", "state": "registered", "expires_at": clock.now - 1},
                {"scan": "safe", "state": "archived", **soon},
                {"scan": "never", "state": "registered"},
            ],
        )
        until = clock.now + 100
        found = [one.key.scan for one in figures.soonest_ending(tx, until, 10)]
        assert found == ["past", "soon"]
        assert figures.count_ending(tx, until) == 2
