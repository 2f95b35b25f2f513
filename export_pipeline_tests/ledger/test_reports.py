from export_pipeline.ledger import registry, reports
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import Scan
from export_pipeline.scans import ScanKey
from export_pipeline_tests.ledger.conftest import SteppedClock


def add(tx: Tx, scan: Scan, *assets: str) -> None:
    for asset in assets:
        reports.add(
            tx,
            scan_id=scan.id,
            vendor=scan.vendor,
            generation=1,
            asset=asset,
            status="verified",
            size=3,
        )


def take(tx: Tx, owner: str = "me", **choice: object) -> list[str]:
    found = reports.take(tx, "copyleaks", owner, **{"limit": 10, "seconds": 60, **choice})
    return [report.asset for report in found]


def test_a_report_is_taken_once_and_again_when_its_taker_died(
    ledger: Ledger, scan: Scan, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        add(tx, scan, "results", "overview")
        assert reports.has_outstanding(tx, "copyleaks")
        assert take(tx) == ["results", "overview"]
        assert take(tx, "other") == []
        assert not reports.has_outstanding(tx, "copyleaks")
    clock.step(60)
    with ledger.write() as tx:
        assert take(tx, "other") == ["results", "overview"]


def test_a_shown_report_is_never_taken_again(
    ledger: Ledger, scan: Scan, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        add(tx, scan, "results", "overview")
        (first,) = reports.take(tx, "copyleaks", "me", limit=1, seconds=60)
        assert (first.asset, first.status, first.metadata) == ("results", "verified", {"size": 3})
        reports.shown(tx, [first.id])
    clock.step(60)
    with ledger.write() as tx:
        assert take(tx) == ["overview"]


def test_reports_are_taken_of_chosen_scans_and_assets_only(ledger: Ledger, scan: Scan) -> None:
    with ledger.write() as tx:
        other, _ = registry.register(tx, ScanKey("copyleaks", "default", "two"), source="test")
        add(tx, scan, "results", "overview")
        add(tx, other, "bag")
        assert take(tx, scan_ids=[scan.id], assets=["overview"]) == ["overview"]
        assert take(tx, scan_ids=[]) == []
        assert take(tx, scan_ids=[other.id]) == ["bag"]
        assert reports.take(tx, "laserfiche", "me", limit=1, seconds=60) == []
        assert take(tx) == ["results"]
