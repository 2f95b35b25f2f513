"""Who names an order: of the suites each vendor's tests take those that fit."""

from dataclasses import replace
from typing import Protocol

import pytest

from export_pipeline.errors import DuplicateOrder, OrderInvalid, OrderRefused
from export_pipeline_tests.vendors.conformance import VendorBench, failing, place
from export_pipeline_tests.vendors.transport import answer

HOSTILE_IDS = ('a/../b%2f;:"<x>', "..%2e", "a+b=c&d|e", "%00'--", "...", "http://x@y/z")


class OurIds:
    """The vendor takes any scan id, and orders by ids that we choose."""

    def test_an_order_sent_again_under_its_id_is_known_as_such(self, bench: VendorBench) -> None:
        placement = bench.placement()
        place(bench, placement)
        with pytest.raises(DuplicateOrder, match=placement.scan.scan):
            place(bench, placement)

    @pytest.mark.parametrize("scan_id", HOSTILE_IDS)
    def test_a_hostile_id_reaches_the_vendor_as_it_is(
        self, bench: VendorBench, scan_id: str
    ) -> None:
        placement = bench.placement(scan_id)
        place(bench, placement)
        assert bench.arrived() == [(scan_id, placement.order.id)]

    def test_a_conflict_means_that_the_order_is_known(self, bench: VendorBench) -> None:
        placement = bench.placement()
        place(bench, placement)
        assert isinstance(failing(bench, placement, answer(409)), DuplicateOrder)


class VendorIds:
    """The vendor has ids of a form of its own, and names each order by itself."""

    @pytest.mark.parametrize("scan_id", HOSTILE_IDS)
    def test_a_hostile_id_is_told_to_be_none_and_never_sent(
        self, bench: VendorBench, scan_id: str
    ) -> None:
        with pytest.raises(OrderInvalid) as caught:
            place(bench, bench.placement(scan_id, at_vendor=False))
        assert scan_id in str(caught.value)
        assert bench.arrived() == []

    def test_an_order_that_never_arrived_is_placed_when_it_is_sent_again(
        self, bench: VendorBench
    ) -> None:
        placement = bench.placement()
        (receipt,) = place(bench, replace(placement, order=replace(placement.order, sends=1)))
        assert bench.arrived() == [(placement.scan.scan, receipt.vendor_order)]

    def test_a_conflict_is_a_refusal_since_no_id_is_ours(self, bench: VendorBench) -> None:
        error = failing(bench, bench.placement(), answer(409))
        assert isinstance(error, OrderRefused)


class LosingBench(VendorBench, Protocol):
    """A vendor whose answers can get lost."""

    def lose_answer(self) -> None:
        """Let the vendor do what the next order asks for, and its answer never arrive."""


class FoundAgain:
    """The vendor tells what it was asked for, so that a lost order is known again."""

    def test_an_order_whose_answer_got_lost_is_found_and_not_placed_twice(
        self, bench: LosingBench
    ) -> None:
        placement = bench.placement()
        bench.lose_answer()
        assert failing(bench, placement).transient
        repeat = replace(placement, order=replace(placement.order, sends=1))
        (receipt,) = place(bench, repeat)
        assert bench.arrived() == [(placement.scan.scan, receipt.vendor_order)]
