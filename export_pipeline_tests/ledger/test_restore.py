"""Rows brought back, on both databases, and the catalog that follows from them on both alike."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from export_pipeline.archive import catalog
from export_pipeline.ledger import artifacts, events, generations, orders, registry
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.orders import NEVER, derive_id
from export_pipeline.ledger.restore import Audited, LackedScan, note_audits, restore
from export_pipeline.ledger.rows import (
    Artifact,
    ArtifactState,
    Event,
    Generation,
    GenerationState,
    Order,
    OrderState,
    QueueClass,
    Scan,
    ScanState,
)
from export_pipeline.scans import ScanKey
from export_pipeline_tests.archive.catalogs import table
from export_pipeline_tests.ledger.conftest import SteppedClock

AT = 1_763_700_000.123
NAMES = ("a b", "B", "b", "Z", "_", "-", "ä", 'a/../b%2f;:"<x>', "é", "10", "9")
MEMBERS = ["page 1.tif", "page 2.tif"]


def lost(scan: str, generation: int = 1, vendor: str = "copyleaks") -> LackedScan:
    """A scan with one sealed generation of two files, one of them a ZIP."""
    key = ScanKey(vendor, "default", scan)
    order = derive_id(key, generation, 0, 1)
    return LackedScan(
        scan=Scan(
            id=0,
            vendor=key.vendor,
            account=key.account,
            scan=key.scan,
            state=ScanState.ARCHIVED,
            reason="",
            source="test",
            details={"result_ids": ["r1"]},
            generation=generation,
            registered_at=AT,
            expires_at=None,
            admitted_at=None,
        ),
        generations=[sealed(generation)],
        artifacts=[
            artifact(generation, order, "Z.json", None),
            artifact(generation, order, "a.zip", {"opened": {"files": 2, "names": MEMBERS}}),
        ],
        orders=[closed(key, order, generation)],
        events=[Event(AT + number, f"event {number}", order, {}) for number in range(generation)],
    )


def sealed(number: int) -> Generation:
    return Generation(
        scan_id=0,
        number=number,
        state=GenerationState.SEALED,
        verdict="archived",
        wants_bag=True,
        files=2,
        bytes=20,
        opened_at=AT,
        frozen_at=AT + 3,
        sealed_at=AT + 3,
        audited_at=None,
        damage="",
        seal_sha256="0" * 64,
        details={"result_ids": ["r1"]},
        expires_at=None,
    )


def artifact(generation: int, order: str, name: str, details: dict[str, Any] | None) -> Artifact:
    return Artifact(
        scan_id=0,
        generation=generation,
        name=name,
        kind="results",
        vendor_name="theirs",
        availability="expected",
        state=ArtifactState.VERIFIED,
        reason="",
        order_id=order,
        size=10,
        sha256="1" * 64,
        content_type="application/json",
        checksum=None,
        details=details,
        delivered_at=None,
        verified_at=AT + 2.0006,
    )


def closed(key: ScanKey, order: str, generation: int) -> Order:
    return Order(
        id=order,
        scan_id=0,
        vendor=key.vendor,
        account=key.account,
        generation=generation,
        part=0,
        attempt=1,
        state=OrderState.CLOSED,
        outcome="delivered",
        reason="",
        queue_class=QueueClass.HAND,
        sends=1,
        queued_at=AT,
        not_before=AT,
        expires_at=NEVER,
        sent_at=AT + 1,
        deadline=None,
        completed_at=AT + 1.5,
        closed_at=AT + 2,
        completion={"deliveries": []},
        request_id=None,
        vendor_order="theirs-1",
    )


def bring_back(ledger: Ledger, *scans: LackedScan) -> list[Scan]:
    with ledger.write() as tx:
        return restore(tx, scans)


def test_every_row_comes_back_as_it_was(ledger: Ledger, clock: SteppedClock) -> None:
    wanted = lost(NAMES[7])
    [scan] = bring_back(ledger, wanted)
    assert replace(scan, id=0) == wanted.scan
    with ledger.read() as tx:
        assert generations.get(tx, scan.id, 1) == replace(wanted.generations[0], scan_id=scan.id)
        files = artifacts.of_generation(tx, scan.id, 1)
        assert {one.name: replace(one, scan_id=0) for one in files} == {
            one.name: one for one in wanted.artifacts
        }
        assert orders.of_scan(tx, scan.id) == [replace(wanted.orders[0], scan_id=scan.id)]
        *before, told = events.history(tx, scan.id)
    assert before == list(wanted.events)
    assert told == Event(clock.now, "brought back from the archive", None, {"generations": [1]})


def test_a_newer_generation_moves_a_scan_on_and_an_older_one_does_not(ledger: Ledger) -> None:
    [scan] = bring_back(ledger, lost("essay", 2))
    assert scan.generation == 2
    [scan] = bring_back(ledger, lost("essay", 1))
    assert scan.generation == 2
    [scan] = bring_back(ledger, lost("essay", 3))
    assert scan.generation == 3
    with ledger.read() as tx:
        told = [one.event for one in events.history(tx, scan.id)]
    assert told[:2] == ["event 0", "event 1"]
    assert told.count("brought back from the archive") == 3


def test_a_registered_scan_becomes_what_its_bag_says(ledger: Ledger, scan: Scan) -> None:
    [after] = bring_back(ledger, lost(scan.scan))
    assert after.id == scan.id
    assert (after.state, after.generation) == (ScanState.ARCHIVED, 1)
    assert after.source == scan.source


def test_orders_that_the_ledger_has_stay_as_they_are(ledger: Ledger) -> None:
    first = lost("essay")
    bring_back(ledger, first)
    second = lost("essay", 2)
    changed = replace(first.orders[0], outcome="failed")
    [scan] = bring_back(ledger, replace(second, orders=[changed, *second.orders]))
    with ledger.read() as tx:
        assert [one.outcome for one in orders.of_scan(tx, scan.id)] == ["delivered"] * 2


def test_the_catalog_is_in_order_of_bytes_on_every_database(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "SCANS_PER_PAGE", 3)
    monkeypatch.setattr(catalog, "ROWS_PER_BATCH", 4)
    bring_back(ledger, *(lost(name) for name in NAMES), lost("essay", vendor="Other"))
    bring_back(ledger, lost("B", 2))
    rows = table(ledger).to_pylist()
    places = [(row["vendor"], row["scan"].encode(), row["generation"]) for row in rows[::2]]
    assert places == sorted(places)
    assert [row["name"] for row in rows[:2]] == ["Z.json", "a.zip"]
    assert len(rows) == 2 * (len(NAMES) + 2)


def test_a_row_of_the_catalog_has_times_in_milliseconds_and_what_a_zip_holds(
    ledger: Ledger,
) -> None:
    bring_back(ledger, lost("A"))
    plain, zipped = table(ledger).to_pylist()
    assert plain["members"] is None
    assert zipped["members"] == MEMBERS
    assert zipped["verified_last"].timestamp() == round(AT + 2.001, 3)
    assert zipped["ordered"].timestamp() == round(AT + 1, 3)
    del zipped["ordered"], zipped["completed"], zipped["sealed"], zipped["verified_last"]
    assert zipped == {
        "vendor": "copyleaks",
        "account": "default",
        "scan": "A",
        "generation": 1,
        "status": "archived",
        "kind": "results",
        "name": "a.zip",
        "vendor_name": "theirs",
        "vendor_order": "theirs-1",
        "order_id": derive_id(ScanKey("copyleaks", "default", "A"), 1, 0, 1),
        "missing": False,
        "reason": None,
        "size": 10,
        "sha256": "1" * 64,
        "content_type": "application/json",
        "members": MEMBERS,
        "key": "copyleaks/default/=41/1/data/a.zip",
        "bag": "copyleaks/default/=41/1/",
        "delivered": None,
        "damage": None,
    }


def audits(ledger: Ledger, found: Sequence[Audited]) -> tuple[float | None, str]:
    with ledger.write() as tx:
        note_audits(tx, found)
        scan = registry.get(tx, ScanKey("copyleaks", "default", "essay"))
        generation = generations.get(tx, scan.id, 1)
    return generation.audited_at, generation.damage


def test_only_a_later_audit_takes_the_place_of_the_one_that_is_known(ledger: Ledger) -> None:
    bring_back(ledger, lost("essay"))
    key = ScanKey("copyleaks", "default", "essay")
    assert audits(ledger, []) == (None, "")
    assert audits(ledger, [Audited(key, 1, AT, "gone"), Audited(key, 2, AT, "")]) == (AT, "gone")
    assert audits(ledger, [Audited(key, 1, AT + 0.0004, "the same")]) == (AT, "gone")
    assert audits(ledger, [Audited(key, 1, AT - 1, "earlier")]) == (AT, "gone")
    assert audits(ledger, [Audited(key, 1, AT + 1, "")]) == (AT + 1, "")
    elsewhere = ScanKey("copyleaks", "other", "essay")
    assert audits(ledger, [Audited(elsewhere, 1, AT + 2, "no")]) == (AT + 1, "")
