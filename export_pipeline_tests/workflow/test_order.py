"""Asking for a scan: what is ordered, and what is not ordered twice."""

from export_pipeline.ledger import artifacts, orders, registry, reports
from export_pipeline.ledger.rows import OrderState, QueueClass, Scan, ScanState
from export_pipeline.workflow.order import Requested, retry
from export_pipeline_tests.workflow.stepped import ENABLED, SINGLES, Stepped


def test_everything_that_a_scan_has_goes_into_one_order(home: Stepped) -> None:
    scan = home.register("essay")
    assert home.request(scan) == Requested.QUEUED
    [order] = home.orders(scan)
    assert len(home.names(order)) == len(SINGLES) + 2
    assert home.scan(scan).state == ScanState.ORDERED


def test_what_is_ordered_already_is_not_ordered_again(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan)
    assert home.request(scan) == Requested.OPEN
    assert len(home.orders(scan)) == 1


def test_asking_by_hand_moves_a_queued_order_forward(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan, QueueClass.BACKLOG)
    home.request(scan, QueueClass.HAND)
    assert [order.queue_class for order in home.orders(scan)] == [QueueClass.HAND]


def test_a_subset_orders_those_alone_and_leaves_the_bag_unsealed(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan, kinds={"pdf_report"}, wants_bag=False)
    home.send()
    assert [home.asked(one) for one in home.vendor.placed] == [["pdf_report.pdf"]]
    home.deliver(home.newest(scan))
    home.collect()
    assert home.states(scan) == {"pdf_report.pdf": "verified"}
    assert home.generation(scan).state == "open"
    assert not (home.folder(scan) / "tagmanifest-sha256.txt").exists()


def test_the_rest_is_ordered_into_the_same_generation_and_sealed(home: Stepped) -> None:
    scan = home.register("essay")
    home.request(scan, kinds={"pdf_report"}, wants_bag=False)
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.request(scan) == Requested.QUEUED
    home.send()
    assert "pdf_report.pdf" not in home.asked(home.vendor.placed[-1])
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert home.scan(scan).generation == 1
    assert len(home.stored(scan)) == len(SINGLES) + 2


def test_a_full_request_seals_when_the_subsets_brought_everything(home: Stepped) -> None:
    scan = home.register("essay", results=[])
    home.request(scan, kinds={*SINGLES, "results"}, wants_bag=False)
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.request(scan) == Requested.OPEN
    home.reconcile()
    assert home.scan(scan).state == ScanState.ARCHIVED
    assert len(home.vendor.placed) == 1


def test_a_sealed_scan_is_not_ordered_again(home: Stepped) -> None:
    scan = home.archived("essay")
    assert home.request(scan) == Requested.SEALED
    assert home.send() == 0


def test_a_new_generation_archives_once_more_beside_what_is_sealed(home: Stepped) -> None:
    scan = home.archived("essay")
    first = home.stored(scan)
    assert home.request(scan, new_generation=True) == Requested.QUEUED
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).generation == 2
    assert home.stored(scan) == first | {one.replace("1/", "2/", 1) for one in first}


def test_2300_results_become_three_orders(home: Stepped) -> None:
    scan = home.register("thesis", results=[f"r{number:04}" for number in range(2_300)])
    home.request(scan)
    sizes = [len(home.names(order)) for order in home.orders(scan)]
    assert sizes == [1_000 + len(SINGLES), 1_000, 300]


def test_what_the_scan_does_not_have_is_settled_without_a_call(home: Stepped) -> None:
    scan = home.register("essay", enabled={**ENABLED, "pdf_report": False})
    home.request(scan)
    assert home.artifacts(scan)["pdf_report.pdf"].state == "absent"
    assert "pdf_report.pdf" not in home.names(home.orders(scan)[0])
    shown = home.write(
        reports.take, "copyleaks", "a run", limit=9, seconds=1, assets=["pdf_report"]
    )
    assert [one.status for one in shown] == ["absent"]


def test_an_expired_scan_is_not_ordered(home: Stepped) -> None:
    scan = home.register("essay")
    home.write(registry.settle, scan.id, ScanState.EXPIRED, "gone")
    assert home.request(scan) == Requested.EXPIRED
    assert home.orders(scan) == []


def failed(home: Stepped, **known: object) -> Scan:
    """A scan of which nothing came at any attempt."""
    scan = home.ordered("essay", **known)
    for _ in range(home.settings.attempts):
        home.complete(home.newest(scan), unhealthy=home.names(home.newest(scan)))
        home.collect()
        home.send()
    assert home.scan(scan).state == ScanState.FAILED
    return home.scan(scan)


def test_retry_orders_what_is_missing_in_further_attempts(home: Stepped) -> None:
    scan = failed(home)
    assert home.write(retry, home.vendor, scan, queue_class=QueueClass.HAND) == Requested.QUEUED
    assert home.newest(scan).attempt == home.settings.attempts + 1
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_retry_does_not_ask_for_results_whose_ids_nobody_knows(home: Stepped) -> None:
    scan = failed(home, results=None)
    home.write(retry, home.vendor, scan, queue_class=QueueClass.HAND)
    assert "results" not in home.names(home.newest(scan))


def test_retry_of_a_subset_orders_only_that(home: Stepped) -> None:
    scan = failed(home)
    wanted = {"queue_class": QueueClass.HAND, "kinds": {"pdf_report"}}
    assert home.write(retry, home.vendor, scan, **wanted) == Requested.QUEUED
    home.send()
    assert home.asked(home.vendor.placed[-1]) == ["pdf_report.pdf"]
    home.deliver(home.newest(scan))
    home.collect()
    states = home.states(scan)
    assert states.pop("pdf_report.pdf") == "verified"
    assert set(states.values()) == {"missing"}
    assert home.scan(scan).state == ScanState.PARTIAL


def test_retry_of_a_subset_of_a_scan_never_ordered_wants_no_bag(home: Stepped) -> None:
    scan = home.register("essay")
    home.write(registry.settle, scan.id, ScanState.FAILED, "failed at the vendor")
    wanted = {"queue_class": QueueClass.HAND, "kinds": {"pdf_report"}}
    home.write(retry, home.vendor, home.scan(scan), **wanted)
    assert home.states(scan) == {"pdf_report.pdf": "expected"}
    assert not home.generation(scan).wants_bag


def test_retry_with_nothing_to_order_leaves_the_scan_failed(home: Stepped) -> None:
    """Else it would stand as ordered for ever, with no order that could end it."""
    scan = home.register("essay", results=None, enabled=dict.fromkeys(SINGLES, False))
    home.request(scan)
    home.send()
    for _ in range(home.settings.attempts):
        home.complete(home.newest(scan), unhealthy=home.names(home.newest(scan)))
        home.collect()
        home.send()
    lost = [one for one in home.artifacts(scan).values() if one.availability == "expected"]
    home.write(lambda tx: [artifacts.absent(tx, one, "not there") for one in lost])
    outcome = home.write(retry, home.vendor, home.scan(scan), queue_class=QueueClass.HAND)
    assert outcome == Requested.OPEN
    assert home.scan(scan).state == ScanState.FAILED


def test_retry_of_a_scan_under_way_orders_nothing(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.write(retry, home.vendor, scan, queue_class=QueueClass.HAND)
    assert len(home.orders(scan)) == 1


def test_an_artifact_is_never_in_two_open_orders(home: Stepped) -> None:
    scan = home.ordered("essay")
    home.complete(home.newest(scan), unhealthy=["overview.json"])
    home.upload(home.newest(scan), set(home.names(home.newest(scan))) - {"overview.json"})
    home.collect()
    open_orders = [one for one in home.orders(scan) if one.state != OrderState.CLOSED]
    assert [home.names(one) for one in open_orders] == [["overview.json"]]
    assert home.look(orders.get, open_orders[0].id).attempt == 2
