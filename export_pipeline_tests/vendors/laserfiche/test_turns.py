"""What an order costs of the limits, and what is read once for many."""

import asyncio
from dataclasses import replace

from export_pipeline.errors import OrderRefused
from export_pipeline.ledger import quotas
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline_tests.vendors.conformance import failing, place
from export_pipeline_tests.vendors.laserfiche.bench import LaserficheBench, sent
from export_pipeline_tests.vendors.transport import answer

CALLS = "calls per minute"


def test_the_entry_is_read_once_for_all_parts_of_a_scan(bench: LaserficheBench) -> None:
    spec = EntrySpec("x", pages=1, extension="pdf", edoc_bytes=500)
    place(bench, *[bench.placement(part=one, spec=spec) for one in ("Image", "Text", "Edoc")])
    assert bench.stats()["calls"]["entry"] == 1
    assert len(bench.arrived()) == 3


def test_all_parts_of_a_scan_at_once_read_its_entry_once(bench: LaserficheBench) -> None:
    spec = EntrySpec("x", pages=1, extension="pdf", edoc_bytes=500)
    placements = [bench.placement(part=one, spec=spec) for one in ("Image", "Text", "Edoc")]

    async def scenario() -> None:
        await asyncio.gather(*map(bench.vendor.place, placements))
        await bench.close()

    asyncio.run(scenario())
    assert bench.stats()["calls"]["entry"] == 1
    assert len(bench.arrived()) == 3


def test_one_export_claims_one_export_and_no_other_call(bench: LaserficheBench) -> None:
    """The vendor counts exports apart from other calls: a read entry costs none of theirs."""
    asyncio.run(_prepare(bench))
    before = granted(bench, CALLS)
    (exports,) = bench.vendor.quotas("default")
    place(bench, bench.placement())
    # The export's own is claimed by the caller.
    assert (granted(bench, exports.name), granted(bench, CALLS) - before) == (0, 1)


def test_a_turn_that_passed_while_the_entry_was_read_is_claimed_anew(
    bench: LaserficheBench,
) -> None:
    (exports,) = bench.vendor.quotas("default")
    place(bench, bench.placement())
    claimed = granted(bench, exports.name)
    place(bench, replace(bench.placement("102"), is_on_time=lambda: False))
    place(bench, bench.placement("103"))
    assert granted(bench, exports.name) == claimed + 1
    assert len(bench.arrived()) == 3


def test_what_is_too_large_for_the_call_is_a_task_with_a_turn_of_its_own(
    bench: LaserficheBench,
) -> None:
    placement = bench.small()
    place(bench, placement)
    bench.planned.append(answer(413))
    receipt = sent(bench, placement)
    assert receipt.vendor_order
    (exports,) = bench.vendor.quotas("default")
    assert granted(bench, exports.name) == 1
    error = failing(bench, placement, answer(413), answer(413))
    assert isinstance(error, OrderRefused)


def granted(bench: LaserficheBench, name: str) -> int:
    with bench.ledger.read() as tx:
        return quotas.granted(tx, "laserfiche", "default", name)


async def _prepare(bench: LaserficheBench) -> None:
    await bench.vendor.prepare("default")
    await bench.close()
