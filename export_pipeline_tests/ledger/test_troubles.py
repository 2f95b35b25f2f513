from export_pipeline.ledger import events, quotas, summary, troubles
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import ScanState
from export_pipeline.scans import ScanKey
from export_pipeline_tests.ledger.conftest import SteppedClock
from export_pipeline_tests.ledger.made_up import add_generations, add_orders, add_scans

HOSTILE = 'a/../b%2f;:"<x>'
FAILED = [ScanState.FAILED]


def test_scans_that_failed_for_one_reason_are_one_trouble_with_its_first_three(
    ledger: Ledger,
) -> None:
    reason = "copyleaks: the export: no answer (scan {0}, account default, request id r-{0})"
    names = [HOSTILE, *(f"essay-{number}" for number in range(499))]
    with ledger.write() as tx:
        add_scans(
            tx, [{"scan": one, "state": "failed", "reason": reason.format(one)} for one in names]
        )
        add_scans(tx, [{"scan": "other", "state": "failed", "reason": "the store is full"}])
        add_scans(tx, [{"scan": "well", "state": "archived"}])
        add_scans(tx, [{"scan": "far", "state": "failed", "vendor": "another"}])
        most, other = troubles.failures(tx, ["copyleaks"], FAILED)
    assert (most.count, most.kind, most.reason) == (500, "failed", reason.format(HOSTILE))
    assert most.first == [ScanKey("copyleaks", "default", name) for name in names[:3]]
    assert (other.count, other.reason) == (1, "the store is full")


def test_accounts_and_states_are_told_apart(ledger: Ledger) -> None:
    with ledger.write() as tx:
        add_scans(
            tx,
            [
                {"scan": "one", "state": "failed", "account": "eu"},
                {"scan": "two", "state": "failed"},
                {"scan": "two", "state": "partial", "account": "us"},
            ],
        )
        states = [ScanState.FAILED, ScanState.PARTIAL]
        found = troubles.failures(tx, ["copyleaks"], states)
    assert {(one.account, one.kind) for one in found} == {
        ("default", "failed"),
        ("eu", "failed"),
        ("us", "partial"),
    }


def test_an_order_past_its_deadline_is_late_and_one_without_news_is_silent(
    ledger: Ledger, clock: SteppedClock
) -> None:
    now = clock.now
    with ledger.write() as tx:
        (scan,) = add_scans(tx, [{"scan": HOSTILE, "state": "ordered"}])
        late = {"scan_id": scan, "sent_at": now - 9_000, "deadline": now - 1_000}
        silent = {"scan_id": scan, "sent_at": now - 4_000, "deadline": now + 3_000}
        add_orders(
            tx,
            [
                {**late, "id": "late", "state": "completed"},
                {**late, "id": "late too", "state": "queued", "part": 1},
                {**late, "id": "over", "state": "closed", "part": 2},
                {**late, "id": "just now", "state": "waiting", "part": 3, "deadline": now - 800}
                | {"sent_at": now - 100},
                {**silent, "id": "silent", "state": "waiting", "part": 4},
                {**silent, "id": "answered", "state": "completed", "part": 5},
                {**silent, "id": "new", "state": "waiting", "part": 6, "sent_at": now - 60},
            ],
        )
        found = troubles.late_orders(tx, grace=900.0, silence=3_600.0)
    assert {(one.kind, one.count) for one in found} == {("late", 2), ("silent", 1)}
    assert {one.first[0].scan for one in found} == {HOSTILE}


def test_damage_in_sealed_bags_is_one_trouble_an_account(ledger: Ledger) -> None:
    with ledger.write() as tx:
        ids = add_scans(tx, [{"scan": f"s{n}", "state": "archived"} for n in range(5)])
        add_generations(tx, [{"scan_id": one, "damage": f"file {one} changed"} for one in ids[:4]])
        add_generations(tx, [{"scan_id": ids[4]}])
        (found,) = troubles.damaged(tx)
    assert (found.count, found.reason) == (4, f"file {ids[0]} changed")
    assert [key.scan for key in found.first] == ["s0", "s1", "s2"]


def test_a_refused_login_lasts_beyond_its_rest_until_the_vendor_takes_an_order(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        quotas.cool_down(tx, "copyleaks", "default", 300, "refused", needs_person=True)
        quotas.cool_down(tx, "copyleaks", "eu", 300, "too many")
    clock.step(4_000)
    with ledger.write() as tx:
        (scan,) = add_scans(tx, [{"scan": "one", "state": "ordered"}])
        before = {"scan_id": scan, "state": "closed", "sent_at": tx.now - 3_900}
        again = {"scan_id": scan, "state": "queued", "sent_at": tx.now, "part": 1}
        add_orders(tx, [{**before, "id": "before"}, {**again, "id": "again"}])
        assert troubles.refused_logins(tx) == [troubles.Refused("copyleaks", "default", "refused")]
        add_orders(tx, [{**again, "id": "taken", "state": "waiting", "part": 2}])
        assert troubles.refused_logins(tx) == []


def test_a_refused_login_that_a_person_mended_is_over(ledger: Ledger) -> None:
    with ledger.write() as tx:
        quotas.cool_down(tx, "copyleaks", "default", 300, "refused", needs_person=True)
        quotas.mended(tx, "copyleaks", "default")
        assert troubles.refused_logins(tx) == []
        assert quotas.cooldown(tx, "copyleaks", "default").until == 0
        quotas.cool_down(tx, "copyleaks", "default", 60, "too many")
        quotas.mended(tx, "copyleaks", "default")
        assert quotas.cooldown(tx, "copyleaks", "default").until > 0, "a limit is not mended so"


def test_what_was_lost_lately_is_one_trouble_of_each_state(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        states = ("expired at vendor", "partial", "partial", "archived")
        lost = [{"scan": f"{HOSTILE}{number}", "state": one} for number, one in enumerate(states)]
        ids = add_scans(tx, lost)
        for scan_id in ids[:2]:
            events.record(tx, scan_id, "frozen")
    clock.step(3_600)
    with ledger.write() as tx:
        for scan_id in ids[2:]:
            events.record(tx, scan_id, "frozen")
        every = troubles.lost(tx, ["copyleaks"], seconds=7_200)
        late = troubles.lost(tx, ["copyleaks"], seconds=1_800)
        assert troubles.lost(tx, ["laserfiche"], seconds=7_200) == []
    assert {one.kind: one.count for one in every} == {"expired at vendor": 1, "partial": 2}
    assert [(one.kind, one.first[0].scan) for one in late] == [("partial", f"{HOSTILE}2")]


def test_damage_is_counted_and_told_by_scan(ledger: Ledger) -> None:
    with ledger.write() as tx:
        whole, hurt = add_scans(
            tx, [{"scan": "whole", "state": "archived"}, {"scan": HOSTILE, "state": "archived"}]
        )
        add_generations(
            tx,
            [
                {"scan_id": whole},
                {"scan_id": hurt, "damage": "a changed\nb is missing"},
                {"scan_id": hurt, "number": 2, "damage": "c changed"},
                {"scan_id": hurt, "number": 3, "damage": "given up", "state": "abandoned"},
            ],
        )
        assert troubles.count_damaged(tx) == 2
        found = troubles.damage(tx, [whole, hurt])
        listed = summary.find_scans(tx, damaged=True)
    assert found == {hurt: ["a changed", "b is missing", "c changed"]}
    assert [scan.scan for scan in listed] == [HOSTILE]
