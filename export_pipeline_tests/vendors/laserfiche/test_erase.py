"""Ending a document's tasks at Laserfiche; the document itself is the team's own."""

import asyncio
from collections.abc import Sequence

from export_pipeline.ledger.rows import Order
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline_tests.vendors.laserfiche.bench import LaserficheBench
from export_pipeline_tests.vendors.pulled import asked, placed
from export_pipeline_tests.vendors.rows import scan


def erase(bench: LaserficheBench, entry: str, orders: Sequence[Order]) -> None:
    async def scenario() -> None:
        try:
            await bench.vendor.erase(scan("laserfiche", entry), orders)
        finally:
            await bench.close()

    asyncio.run(scenario())


def test_its_tasks_are_ended_and_the_document_stays(bench: LaserficheBench) -> None:
    placement = bench.placement(spec=EntrySpec("large", pages=60))
    order = placed(bench, placement)
    assert order.vendor_order
    assert asked(bench, order) == {}
    erase(bench, placement.scan.scan, [order])
    (completion,) = asked(bench, order).values()
    assert "cancelled" in completion.failure
    assert placed(bench, bench.placement(placement.scan.scan, at_vendor=False)).vendor_order
    assert "delete it in the repository" in bench.vendor.keeps


def test_an_order_whose_token_is_gone_is_passed_over(bench: LaserficheBench) -> None:
    order = placed(bench, bench.placement(spec=EntrySpec("small", pages=1)))
    erase(bench, "101", [order])
