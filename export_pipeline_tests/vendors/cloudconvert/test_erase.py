"""What is deleted at the vendor when a scan is forgotten."""

from dataclasses import replace

from export_pipeline.vendors.cloudconvert.models import place_of
from export_pipeline_tests.vendors.cloudconvert.bench import CloudConvertBench
from export_pipeline_tests.vendors.cloudconvert.orders import run
from export_pipeline_tests.vendors.pulled import placed


def test_a_scan_is_erased_with_all_that_its_orders_made(bench: CloudConvertBench) -> None:
    placement = bench.placement()
    order = placed(bench, placement)
    for _ in range(2):  # what is gone already is fine
        run(bench, lambda: bench.vendor.erase(placement.scan, [order, replace(order, id="x")]))
    _, task, _ = place_of(order.vendor_order or "")
    assert sorted(bench.stats()["deleted"]) == sorted([task, bench.scans[0]])


def test_a_task_is_erased_and_a_tag_is_not(bench: CloudConvertBench) -> None:
    (job,) = bench.made_jobs({"files": [{"filename": "a"}], "tag": "mine"})
    task = bench.placement(job["tasks"][0], kind="task").scan
    tag = bench.placement("tag:mine", kind="tag").scan
    run(bench, lambda: bench.vendor.erase(task, []))
    run(bench, lambda: bench.vendor.erase(tag, []))
    assert bench.stats()["deleted"] == job["tasks"]
