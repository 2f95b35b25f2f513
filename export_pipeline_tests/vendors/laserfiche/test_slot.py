"""One long operation at a time, where the account says so."""

from dataclasses import replace

import pytest

from export_pipeline.errors import OrderRefused, TurnMissed
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline_tests.vendors.conformance import failing, place
from export_pipeline_tests.vendors.laserfiche.bench import LARGE, LaserficheBench, sent
from export_pipeline_tests.vendors.pulled import asked


def test_an_account_with_one_long_operation_waits_until_that_ended(
    bench: LaserficheBench,
) -> None:
    bench.options(long_operations=1)
    bench.vendor = bench.make_vendor(EXPORT_LASERFICHE_ONE_TASK="true")
    first, second = bench.placement(), bench.placement("102")
    receipt = sent(bench, first)
    with pytest.raises(TurnMissed, match="one long operation has not ended"):
        place(bench, second)
    assert bench.stats()["limited"] == {}
    bench.end()
    order = replace(first.order, vendor_order=receipt.vendor_order)
    asked(bench, order)
    assert sent(bench, second).vendor_order
    assert len(bench.arrived()) == 2


def test_an_order_that_another_process_took_over_keeps_its_operation(
    bench: LaserficheBench,
) -> None:
    """The slot's owner is the order, by whichever process it is sent."""
    bench.vendor = bench.make_vendor(EXPORT_LASERFICHE_ONE_TASK="true")
    order, third = bench.placement(), bench.placement("102")
    other = bench.make_vendor(EXPORT_LASERFICHE_ONE_TASK="true")

    async def taken_over() -> None:
        await other.place(order)
        await other.aclose()
        raise TurnMissed("not sent: another process took the order over")

    with pytest.raises(TurnMissed, match="took the order over"):
        place(bench, replace(order, leaves=taken_over))
    with pytest.raises(TurnMissed, match="one long operation has not ended"):
        place(bench, third)
    assert len(bench.arrived()) == 1


def test_a_send_that_fails_lets_the_next_long_operation_begin(bench: LaserficheBench) -> None:
    bench.vendor = bench.make_vendor(EXPORT_LASERFICHE_ONE_TASK="true")
    place(bench, bench.small())
    placement = bench.placement("102", spec=EntrySpec("x", pages=LARGE, traits=("denied",)))
    assert isinstance(failing(bench, placement), OrderRefused)
    assert sent(bench, bench.placement("103")).vendor_order
