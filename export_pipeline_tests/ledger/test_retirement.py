"""Which scans give their partition key back: those that nobody looks at, or the oldest for room."""

import pytest

from export_pipeline.ledger import admission, events, generations, registry, reports, retirement
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.scans import ScanKey
from export_pipeline_tests.ledger.conftest import SteppedClock

DAY = 86_400.0
VENDOR = "copyleaks"


def admitted(tx: Tx, name: str, state: ScanState = ScanState.ARCHIVED) -> Scan:
    """A scan in the UI that was settled just now, its bag sealed if it is archived."""
    scan, _ = registry.register(tx, ScanKey(VENDOR, "default", name), source="test")
    if state == ScanState.ARCHIVED:
        generations.open_next(tx, scan, wants_bag=True)
        generations.freeze(tx, scan.id, 1, "archived", 0, 0)
        generations.sealed(tx, scan.id, 1, "0" * 64)
    registry.settle(tx, scan.id, state)
    admission.mark_admitted(tx, [scan.id])
    return scan


def retire(tx: Tx, *, days: float = 30, active_limit: int = 100, limit: int = 100) -> list[str]:
    due = retirement.retirable(
        tx, VENDOR, quiet_seconds=days * DAY, active_limit=active_limit, limit=limit
    )
    return [scan.scan for scan in retirement.retire(tx, VENDOR, due)]


@pytest.mark.parametrize("state", registry.SETTLED)
def test_a_settled_scan_without_news_goes_at_its_age(
    ledger: Ledger, clock: SteppedClock, state: ScanState
) -> None:
    """A failed one had stayed for ever."""
    with ledger.write() as tx:
        scan = admitted(tx, "one", state)
    clock.step(30 * DAY - 1)
    with ledger.write() as tx:
        assert retire(tx) == []
    clock.step(1)
    with ledger.write() as tx:
        assert retire(tx) == ["one"]
        assert registry.by_id(tx, scan.id).admitted_at is None
        assert admission.count_active(tx, VENDOR) == 0
        assert retire(tx) == []


@pytest.mark.parametrize("state", [ScanState.REGISTERED, ScanState.ORDERED])
def test_a_scan_under_way_stays_whatever_its_age(
    ledger: Ledger, clock: SteppedClock, state: ScanState
) -> None:
    with ledger.write() as tx:
        admitted(tx, "one", state)
    clock.step(99 * DAY)
    with ledger.write() as tx:
        assert retire(tx, active_limit=0) == []


def test_news_of_a_scan_and_its_activation_begin_its_age_anew(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        scans = [admitted(tx, name) for name in ("quiet", "looked at", "activated")]
    clock.step(29 * DAY)
    with ledger.write() as tx:
        events.record(tx, scans[1].id, "verified again")
        admission.activate(tx, scans[2].id)
    clock.step(DAY)
    with ledger.write() as tx:
        assert retire(tx) == ["quiet"]
    clock.step(29 * DAY)
    with ledger.write() as tx:
        assert retire(tx) == ["looked at", "activated"]


def test_scans_of_another_vendor_stay(ledger: Ledger, clock: SteppedClock) -> None:
    with ledger.write() as tx:
        admitted(tx, "one")
    clock.step(99 * DAY)
    with ledger.write() as tx:
        assert (
            retirement.retirable(tx, "laserfiche", quiet_seconds=0, active_limit=0, limit=9) == []
        )


def test_where_others_need_room_what_was_sealed_first_goes_first_and_no_more_than_needed(
    ledger: Ledger, clock: SteppedClock
) -> None:
    for name in ("old", "failed", "young", "expired"):
        state = {"failed": ScanState.FAILED, "expired": ScanState.EXPIRED}.get(name)
        with ledger.write() as tx:
            admitted(tx, name, state or ScanState.ARCHIVED)
        clock.step(1)
    with ledger.write() as tx:
        # Admitted again since, and sealed as long ago as before.
        admission.activate(tx, registry.get(tx, ScanKey(VENDOR, "default", "old")).id)
        assert retire(tx, active_limit=4) == []
        registry.register(tx, ScanKey(VENDOR, "default", "waiting"), source="test")
        assert retire(tx, active_limit=4) == ["young"]
        assert retire(tx, active_limit=0) == ["old", "expired"]
        assert retire(tx, active_limit=0) == []
        assert admission.count_active(tx, VENDOR) == 1


def test_no_more_are_named_than_asked_for(ledger: Ledger, clock: SteppedClock) -> None:
    with ledger.write() as tx:
        for number in range(5):
            admitted(tx, f"scan-{number}")
        assert len(retire(tx, active_limit=0, limit=2)) == 2
    clock.step(99 * DAY)
    with ledger.write() as tx:
        assert len(retire(tx, active_limit=0, limit=2)) == 2
        assert len(retire(tx, active_limit=0, limit=2)) == 1


def test_a_scan_that_has_a_report_to_show_stays(ledger: Ledger, clock: SteppedClock) -> None:
    with ledger.write() as tx:
        scan = admitted(tx, "one")
        reports.add(tx, scan_id=scan.id, vendor=VENDOR, generation=1, asset="bag", status="sealed")
    clock.step(99 * DAY)
    with ledger.write() as tx:
        assert retire(tx, active_limit=0) == []
        taken = reports.take(tx, VENDOR, "me", limit=1, seconds=60)
        reports.shown(tx, [report.id for report in taken])
        assert retire(tx, active_limit=0) == ["one"]


def test_what_was_ordered_again_after_it_was_chosen_stays(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        scans = [admitted(tx, name) for name in ("ordered", "quiet")]
    clock.step(99 * DAY)
    with ledger.write() as tx:
        due = retirement.retirable(tx, VENDOR, quiet_seconds=DAY, active_limit=9, limit=9)
        registry.set_generation(tx, scans[0].id, 2)
        retired = retirement.retire(tx, VENDOR, due)
    assert [scan.scan for scan in retired] == ["quiet"]


def test_a_retired_scan_stays_away_until_it_is_activated_or_ordered(
    ledger: Ledger, clock: SteppedClock
) -> None:
    """A scan activated while it was in the UI came back at each tick after it was retired."""

    def admit(tx: Tx) -> list[str]:
        chosen = admission.admit(tx, VENDOR, active_limit=9, chunk=9)
        return [scan.scan for scan in chosen]

    with ledger.write() as tx:
        scan, other = admitted(tx, "one"), admitted(tx, "other", ScanState.FAILED)
        admission.activate(tx, scan.id)
    clock.step(99 * DAY)
    with ledger.write() as tx:
        assert retire(tx) == ["one", "other"]
        assert admit(tx) == []
        admission.activate(tx, scan.id)
        registry.set_generation(tx, other.id, 1)
        assert admit(tx) == ["one", "other"]
        assert retire(tx) == []
