"""An export whose answer got lost is found again, and none of another order for it."""

from dataclasses import replace

import pytest

from export_pipeline.ledger import orders, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Order, QueueClass, Scan
from export_pipeline.scans import ScanKey
from export_pipeline_tests.vendors.bench import again
from export_pipeline_tests.vendors.cloudconvert.bench import CloudConvertBench
from export_pipeline_tests.vendors.cloudconvert.orders import S3, created, lending, several
from export_pipeline_tests.vendors.conformance import failing, place

URL = {"operation": "export/url"}


def order_of(tx: Tx, scan: Scan, attempt: int) -> Order:
    queue = QueueClass.NIGHTLY
    name = orders.insert(tx, scan, generation=1, attempt=attempt, queue_class=queue)
    order = orders.get(tx, name)
    assert order is not None
    return replace(order, sends=1)


@pytest.mark.parametrize("lends", [True, False])
def test_a_lost_export_is_known_among_others_by_what_it_was_told(
    bench: CloudConvertBench, lends: bool
) -> None:
    placement = lending(bench, bench.scans[1]) if lends else bench.placement(bench.scans[1])
    (task,) = [task for task, job in bench.jobs.items() if job == bench.scans[1]]
    bench.lose_answer()
    failing(bench, placement)
    *_, ours = created(bench)
    s3 = {**S3, "input": task, "key": "prefix/.incoming/another-order/files/c.txt"}
    bench.call("POST", "/v2/export/s3", s3)
    bench.call("POST", "/v2/export/url", {"input": task, "archive_multiple_files": True})
    in_a_job = {"in": {"operation": "import/base64", "file": "dGV4dA==", "filename": "x"}}
    bench.call("POST", "/v2/jobs", {"tasks": {**in_a_job, "out": {**URL, "input": "in"}}})
    (receipt,) = place(bench, again(placement, sends=1))
    assert receipt.vendor_order == f"{'staged' if lends else 'one'}:{ours}"


def test_what_an_attempt_before_made_is_not_taken_for_a_lost_export(
    bench: CloudConvertBench,
) -> None:
    """Two attempts ask for the same: the URLs of the first may be dead."""
    key = ScanKey("cloudconvert", "default", bench.scans[1])
    with bench.ledger.write() as tx:
        registry.register(tx, key, source="test")
        scan = registry.get(tx, key)
        first, second = [order_of(tx, scan, attempt) for attempt in (1, 2)]
    placement = bench.placement(bench.scans[1])
    (receipt,) = place(bench, replace(placement, order=first))
    with bench.ledger.write() as tx:
        made = {"request_id": None, "vendor_order": receipt.vendor_order, "look_after": 0.0}
        orders.sending(tx, first, "owner", seconds=60, deadline=bench.clock.now() + 60)
        orders.accepted(tx, first.id, **made)
    (other,) = place(bench, replace(placement, order=second))
    assert other.vendor_order != receipt.vendor_order
    assert len(created(bench)) == 2


def test_a_lost_export_is_not_looked_for_where_all_is_older(bench: CloudConvertBench) -> None:
    job = several(bench)
    for _ in range(205):
        bench.call("POST", "/v2/export/url", {"input": job["tasks"][0]["id"]})
    bench.clock.advance(3600)
    before = bench.stats()["calls"].get("list", 0)
    place(bench, again(bench.placement(), sends=1))
    assert bench.stats()["calls"]["list"] == before + 1
