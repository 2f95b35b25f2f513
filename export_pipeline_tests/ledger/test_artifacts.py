import pytest

from export_pipeline.errors import LedgerError
from export_pipeline.ledger import artifacts, generations, orders
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import ArtifactState, Outcome, QueueClass, Scan

NAMES = ("overview", "pdf_report")


@pytest.fixture
def order_id(ledger: Ledger, scan: Scan) -> str:
    """An order of the scan's first generation, which expects two artifacts."""
    with ledger.write() as tx:
        generations.open_next(tx, scan, wants_bag=True)
        expect(tx, scan, NAMES)
        return queue(tx, scan, attempt=1)


def expect(tx: Tx, scan: Scan, names: tuple[str, ...]) -> None:
    common = {"scan_id": scan.id, "generation": 1, "kind": "kind", "vendor_name": ""}
    common |= {"availability": "present", "state": ArtifactState.EXPECTED, "reason": ""}
    artifacts.insert(tx, [{**common, "name": name} for name in names])


def queue(tx: Tx, scan: Scan, attempt: int) -> str:
    return orders.insert(tx, scan, generation=1, attempt=attempt, queue_class=QueueClass.HAND)


def test_an_order_holds_the_artifacts_assigned_to_it(
    ledger: Ledger, scan: Scan, order_id: str
) -> None:
    with ledger.write() as tx:
        artifacts.assign(tx, scan.id, 1, NAMES, order_id)
        artifacts.assign(tx, scan.id, 1, NAMES, order_id)
        assert [one.name for one in artifacts.of_order(tx, order_id)] == list(NAMES)
        assert artifacts.find(tx, order_id, "overview") is not None
        assert artifacts.find(tx, order_id, "other") is None


def test_an_artifact_of_an_open_order_cannot_be_given_to_a_second(
    ledger: Ledger, scan: Scan, order_id: str
) -> None:
    with ledger.write() as tx:
        artifacts.assign(tx, scan.id, 1, ["overview"], order_id)
    refused = pytest.raises(LedgerError, match=r"1 artifacts .*close that order first")
    with refused, ledger.write() as tx:
        artifacts.assign(tx, scan.id, 1, NAMES, queue(tx, scan, attempt=2))
    with ledger.write() as tx:
        assert len(orders.of_scan(tx, scan.id)) == 1
        orders.close(tx, order_id, Outcome.INCOMPLETE)
        artifacts.assign(tx, scan.id, 1, NAMES, queue(tx, scan, attempt=2))


def test_a_settled_or_unknown_artifact_cannot_be_ordered(
    ledger: Ledger, scan: Scan, order_id: str
) -> None:
    with ledger.write() as tx:
        overview = artifacts.of_generation(tx, scan.id, 1)[0]
        artifacts.absent(tx, overview, "the scan has none")
        for name in ("overview", "unknown"):
            with pytest.raises(LedgerError, match="settled, unknown"):
                artifacts.assign(tx, scan.id, 1, [name], order_id)


def test_an_order_of_more_artifacts_than_one_query_names_holds_them_all(
    ledger: Ledger, scan: Scan, order_id: str
) -> None:
    names = tuple(f"results/{number:04}" for number in range(1200))
    with ledger.write() as tx:
        expect(tx, scan, names)
        artifacts.assign(tx, scan.id, 1, names, order_id)
        assert [one.name for one in artifacts.of_order(tx, order_id)] == list(names)


def test_each_way_of_settling_is_read_back(ledger: Ledger, scan: Scan, order_id: str) -> None:
    with ledger.write() as tx:
        artifacts.assign(tx, scan.id, 1, NAMES, order_id)
        artifacts.delivered(tx, order_id, "overview", size=3, sha256="ab")
        overview, report = artifacts.of_generation(tx, scan.id, 1)
        assert (overview.size, overview.sha256, overview.delivered_at) == (3, "ab", tx.now)
        artifacts.verified(tx, overview, size=3, sha256="ab", details={"opened": True})
        artifacts.missing(tx, report, "3 attempts")
        artifacts.delivered(tx, order_id, "overview", size=4, sha256="cd")
        overview, report = artifacts.of_generation(tx, scan.id, 1)
    assert (overview.state, overview.size, overview.sha256) == (ArtifactState.VERIFIED, 3, "ab")
    assert overview.details == {"opened": True}
    assert (report.state, report.reason) == (ArtifactState.MISSING, "3 attempts")


def test_a_missing_artifact_can_be_expected_again_and_ordered(
    ledger: Ledger, scan: Scan, order_id: str
) -> None:
    with ledger.write() as tx:
        artifacts.assign(tx, scan.id, 1, NAMES, order_id)
        artifacts.missing(tx, artifacts.of_order(tx, order_id)[0], "3 attempts")
        artifacts.expect_again(tx, artifacts.of_order(tx, order_id)[:1])
        artifacts.assign(tx, scan.id, 1, ["overview"], queue(tx, scan, attempt=2))
        assert [one.name for one in artifacts.of_order(tx, order_id)] == ["pdf_report"]


def test_an_artifact_that_is_expected_again_has_no_facts_of_what_was_lost(
    ledger: Ledger, scan: Scan, order_id: str
) -> None:
    with ledger.write() as tx:
        before = artifacts.of_generation(tx, scan.id, 1)
        artifacts.assign(tx, scan.id, 1, NAMES, order_id)
        artifacts.delivered(tx, order_id, "overview", size=3, sha256="ab")
        artifacts.missing(tx, artifacts.of_order(tx, order_id)[0], "arrived broken")
        artifacts.expect_again(tx, artifacts.of_order(tx, order_id))
        assert artifacts.of_generation(tx, scan.id, 1) == before


def test_placeholders_are_withdrawn(ledger: Ledger, scan: Scan, order_id: str) -> None:
    with ledger.write() as tx:
        artifacts.withdraw(tx, artifacts.of_generation(tx, scan.id, 1)[:1])
        assert [one.name for one in artifacts.of_generation(tx, scan.id, 1)] == ["pdf_report"]


def test_a_newer_generation_keeps_what_was_verified_and_expects_the_broken_again(
    ledger: Ledger, scan: Scan, order_id: str
) -> None:
    with ledger.write() as tx:
        overview, report = artifacts.of_generation(tx, scan.id, 1)
        artifacts.verified(tx, overview, size=3, sha256="ab", details={"opened": True})
        artifacts.broken(tx, report, "not a PDF")
        for artifact in artifacts.of_generation(tx, scan.id, 1):
            artifacts.carry_over(tx, artifact, 2)
        overview, report = artifacts.of_generation(tx, scan.id, 2)
        old = artifacts.of_generation(tx, scan.id, 1)
    assert (overview.state, overview.sha256) == (ArtifactState.VERIFIED, "ab")
    assert (report.state, report.reason) == (ArtifactState.EXPECTED, "")
    assert [one.state for one in old] == [ArtifactState.VERIFIED, ArtifactState.BROKEN]
