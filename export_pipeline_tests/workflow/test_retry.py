"""Retry by hand of a scan that the vendor called gone."""

from typing import Any

from export_pipeline.errors import ScanGone
from export_pipeline.ledger.rows import QueueClass, Scan, ScanState
from export_pipeline.workflow.order import Requested
from export_pipeline.workflow.retry import retry_scan
from export_pipeline_tests.workflow.stepped import Stepped


def expired(home: Stepped, **wanted: Any) -> Scan:
    """A scan whose order was answered by 404."""
    scan = home.register("essay")
    home.request(scan, **wanted)
    home.vendor.answers.append(
        ScanGone("not found", vendor="copyleaks", account="default", scan="essay")
    )
    home.send()
    assert home.scan(scan).state == ScanState.EXPIRED
    return home.scan(scan)


def retried(home: Stepped, scan: Scan, *, named: bool) -> str:
    return home.run(lambda pipeline: retry_scan(pipeline, scan, new_generation=False, named=named))


def test_an_expired_scan_that_a_person_names_is_ordered_once_more(home: Stepped) -> None:
    """One 404 of a mistyped address was for ever."""
    scan = expired(home)
    assert retried(home, scan, named=True) == Requested.QUEUED
    assert home.newest(scan).queue_class == QueueClass.HAND
    assert "put back" in home.events(scan)
    home.send()
    home.deliver(home.newest(scan))
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_a_subset_that_expired_is_put_back_as_a_whole_and_sealed(home: Stepped) -> None:
    scan = expired(home, kinds={"pdf_report"}, wants_bag=False)
    retried(home, scan, named=True)
    home.send()
    for order in home.orders(scan)[1:]:
        home.deliver(order)
    home.collect()
    assert home.scan(scan).state == ScanState.ARCHIVED


def test_an_expired_scan_that_is_gone_indeed_costs_one_more_call(home: Stepped) -> None:
    scan = expired(home)
    home.vendor.answers.append(
        ScanGone("not found", vendor="copyleaks", account="default", scan="essay")
    )
    retried(home, scan, named=True)
    home.send()
    home.reconcile()
    home.send()
    assert home.scan(scan).state == ScanState.EXPIRED
    assert len(home.vendor.placed) == 2


def test_an_expired_scan_that_nobody_named_stays_as_it_is(home: Stepped) -> None:
    scan = expired(home)
    assert retried(home, scan, named=False) == Requested.EXPIRED
    assert home.scan(scan).state == ScanState.EXPIRED
    assert len(home.orders(scan)) == 1
