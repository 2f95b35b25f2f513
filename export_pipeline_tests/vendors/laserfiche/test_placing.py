"""Which way a part is exported, and what an order learns of its entry."""

import asyncio
from pathlib import Path

import httpx
import pytest

from export_pipeline.errors import VendorUnavailable
from export_pipeline.ledger import registry
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline.scans import ScanKey
from export_pipeline.vendors.completion import Completion
from export_pipeline.vendors.laserfiche.details import EntryFacts, ExportOptions
from export_pipeline.vendors.laserfiche.models import Part
from export_pipeline.vendors.laserfiche.options import LaserficheOptions
from export_pipeline.vendors.laserfiche.placing import is_sync
from export_pipeline_tests.vendors.bench import again
from export_pipeline_tests.vendors.conformance import failing, place
from export_pipeline_tests.vendors.laserfiche.bench import LaserficheBench, sent
from export_pipeline_tests.vendors.transport import Planned, answer, breaking

LIMITS = LaserficheOptions()


@pytest.mark.parametrize(
    ("part", "facts", "pages", "sends", "sync"),
    [
        (Part.IMAGE, EntryFacts(pages=20), None, 0, True),
        (Part.IMAGE, EntryFacts(pages=21), None, 0, False),
        (Part.IMAGE, EntryFacts(pages=5_000), "1-20", 0, True),
        (Part.TEXT, EntryFacts(pages=20), None, 0, True),
        (Part.TEXT, EntryFacts(pages=None), None, 0, False),
        (Part.TEXT, EntryFacts(pages=20), None, 1, False),
        (Part.EDOC, EntryFacts(pages=5_000, size=10 << 20), None, 0, True),
        (Part.EDOC, EntryFacts(size=(10 << 20) + 1), None, 0, False),
        (Part.EDOC, EntryFacts(size=None), None, 0, False),
        (Part.EDOC, EntryFacts(size=1), None, 1, False),
    ],
)
def test_the_way_is_chosen_by_size_and_pages(
    part: Part, facts: EntryFacts, pages: str | None, sends: int, sync: bool
) -> None:
    assert is_sync(part, ExportOptions(page_range=pages), facts, LIMITS, sends) is sync


def test_a_small_document_is_ready_with_the_answer(bench: LaserficheBench) -> None:
    receipt = sent(bench, bench.small())
    assert receipt.vendor_order is None
    assert receipt.completion == Completion(is_ready=True)
    assert bench.stats()["orders"] == [{"entry": 101, "part": "Image", "task": ""}]


def test_a_large_document_becomes_a_task(bench: LaserficheBench) -> None:
    receipt = sent(bench, bench.placement())
    assert receipt.completion is None
    assert receipt.vendor_order == bench.stats()["orders"][0]["task"]


def test_what_place_learns_of_the_entry_names_the_file(bench: LaserficheBench) -> None:
    spec = EntrySpec("Contract", pages=2, extension="DOCX", edoc_bytes=900)
    (edoc,) = sent(bench, bench.placement(part="Edoc", spec=spec)).files or ()
    assert (edoc.name, edoc.vendor_name) == ("edoc.docx", "Contract")
    options = {"imageOptions": {"format": "PNG"}}
    (image,) = sent(bench, bench.placement("102", spec=spec, options=options)).files or ()
    assert image.name == "image.zip"


def test_what_place_learns_is_kept_with_the_scan_so_that_it_is_planned_so(
    bench: LaserficheBench,
) -> None:
    key = ScanKey("laserfiche", "default", "101")
    with bench.ledger.write() as tx:
        registry.register(tx, key, source="test", details={"parts": ["Edoc"]})
    sent(bench, bench.placement(part="Edoc", spec=EntrySpec("x", extension="pdf", edoc_bytes=500)))
    with bench.ledger.read() as tx:
        scan = registry.get(tx, key)
    assert [one.name for one in bench.vendor.plan(scan)] == ["edoc.pdf"]
    assert scan.details["entry"]["size"] == 500


SLOW: list[Planned] = [
    answer(500),
    answer(408),
    answer(504),
    breaking(httpx.ReadTimeout),
]


@pytest.mark.parametrize("slow", SLOW)
def test_after_a_time_out_the_next_send_is_a_task(bench: LaserficheBench, slow: Planned) -> None:
    placement = bench.small()
    place(bench, placement)
    error = failing(bench, placement, slow)
    assert isinstance(error, VendorUnavailable)
    receipt = sent(bench, again(placement, sends=1))
    assert receipt.vendor_order
    assert [one["task"] for one in bench.stats()["orders"]] == ["", receipt.vendor_order]


def test_a_locked_entry_is_tried_again_as_a_task(bench: LaserficheBench) -> None:
    placement = bench.placement(spec=EntrySpec("x", pages=1, traits=("locked",)))
    error = failing(bench, placement)
    assert isinstance(error, VendorUnavailable)
    assert error.status == 423
    assert sent(bench, again(placement, sends=1)).vendor_order


def test_neither_link_nor_token_is_in_the_ledgers_files(
    bench: LaserficheBench, tmp_path: Path
) -> None:
    place(bench, bench.small(), bench.placement("102"))
    keeping = bench.vendor._served["default"].keeping
    link = asyncio.run(keeping.link(bench.small().order.id))
    assert link is not None
    assert link.startswith("http")
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"laserfiche" in written
    for secret in (link, link.partition("?sig=")[2], bench.token or ""):
        assert secret.encode() not in written


def test_an_order_that_takes_too_long_is_tried_again(
    bench: LaserficheBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    placement = bench.placement(spec=EntrySpec("x", pages=1, work_seconds=5))
    place(bench, bench.placement("102"))
    monkeypatch.setattr("export_pipeline.vendors.channel.WHOLE_SECONDS", 0.3)
    with pytest.raises(VendorUnavailable, match="it is tried again by itself, as a task"):
        place(bench, placement)
    bench.end()
