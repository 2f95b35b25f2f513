import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    ConfigError,
    OrderRefused,
    ScanGone,
    TurnMissed,
    VendorUnavailable,
)
from export_pipeline.ledger import quotas, registry
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline.scans import ScanKey
from export_pipeline.vendors.laserfiche.details import EntryFacts, ExportOptions
from export_pipeline.vendors.laserfiche.models import Part
from export_pipeline.vendors.laserfiche.options import LaserficheOptions
from export_pipeline.vendors.laserfiche.placing import is_sync
from export_pipeline.vendors.vendor import Availability, Completion, Placement, Receipt
from export_pipeline_tests.vendors.bench import again
from export_pipeline_tests.vendors.conformance import failing, place
from export_pipeline_tests.vendors.laserfiche.bench import LARGE, LaserficheBench
from export_pipeline_tests.vendors.transport import Planned, answer, breaking

SMALL = EntrySpec("Invoice", pages=1)
REPOSITORIES = '{"value": [{"id": "r-other", "name": "Other"}]}'
LIMITS = LaserficheOptions()
CALLS = "calls per minute"


def recording(bench: LaserficheBench) -> list[httpx.Request]:
    """Every call from now on."""
    calls: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        calls.append(request)

    make = bench.vendor._connections._make

    def made() -> httpx.AsyncClient:
        client = make()
        client.event_hooks["request"].append(note)
        return client

    bench.vendor._connections._make = made
    return calls


def small(bench: LaserficheBench, part: str = "Image", **details: Any) -> Placement:
    return bench.placement(part=part, spec=SMALL, **details)


def sent(bench: LaserficheBench, placement: Placement) -> Receipt:
    (receipt,) = place(bench, placement)
    return receipt


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
    receipt = sent(bench, small(bench))
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


@pytest.mark.parametrize("part", ["Image", "Text", "Edoc"])
def test_a_part_that_the_entry_lacks_is_absent_and_not_ordered(
    bench: LaserficheBench, part: str
) -> None:
    receipt = sent(bench, bench.placement(part=part, spec=EntrySpec("empty")))
    (told,) = receipt.files or ()
    assert (told.availability, told.name) == (Availability.ABSENT, part.lower())
    assert told.reason
    assert receipt.completion == Completion()
    assert bench.stats()["orders"] == []


def test_text_that_the_vendor_does_not_have_of_a_file_without_pages_is_absent(
    bench: LaserficheBench,
) -> None:
    spec = EntrySpec("x", extension="docx", edoc_bytes=900)
    receipt = sent(bench, again(bench.placement(part="Text", spec=spec), sends=1))
    (told,) = receipt.files or ()
    assert (told.name, told.availability) == ("text", Availability.ABSENT)
    assert "The document has no pages" in told.reason
    assert receipt.completion == Completion()


def test_text_that_the_account_may_not_export_is_not_called_absent(
    bench: LaserficheBench,
) -> None:
    spec = EntrySpec("x", extension="docx", edoc_bytes=900, traits=("denied",))
    error = failing(bench, bench.placement(part="Text", spec=spec))
    assert isinstance(error, OrderRefused)
    assert error.status == 403


@pytest.mark.parametrize(("kind", "said"), [("Folder", "Folder"), ("Shortcut", "entry 77")])
def test_what_is_no_document_is_refused_with_what_to_register(
    bench: LaserficheBench, kind: str, said: str
) -> None:
    placement = bench.placement(spec=EntrySpec("x", type=kind, target=77))
    error = failing(bench, placement)
    assert isinstance(error, OrderRefused)
    assert said in str(error)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/Tasks?nonsense=1", None),
        ("GET", "/Entries/1/Folder/Children?$top=x", None),
        ("DELETE", "/Tasks", {}),
        ("POST", "/Searches/SearchAsync", {"command": "x"}),
        ("POST", "/Entries/x/Export", {"part": "Image"}),
    ],
)
def test_a_call_that_the_vendors_document_does_not_have_is_never_sent(
    bench: LaserficheBench, method: str, path: str, body: object
) -> None:
    """By none of these tests: each client of theirs has the judge."""
    url = bench.vendor.client("default").api.repository_url + path

    async def call() -> None:
        async with bench._http() as client:
            await client.request(method, url, json=body)

    with pytest.raises(AssertionError):
        asyncio.run(call())


def test_everything_that_is_sent_is_as_the_vendors_document_says(bench: LaserficheBench) -> None:
    calls = recording(bench)
    options = {
        "pageRange": "1-2",
        "auditReason": "legal HOLD",
        "auditReasonComment": "c",
        "imageOptions": {"format": "PDF", "watermark": {"text": "Copy"}},
    }
    sent(bench, small(bench, options={**options, "pageRange": "1"}))
    large = bench.placement("102", options={**options, "pageRange": "1-3,30-60"})
    order = replace(large.order, vendor_order=sent(bench, large).vendor_order)
    asyncio.run(_ask(bench, order))
    asyncio.run(_check(bench))
    bodies = {one.url.path.rpartition("/")[2]: one.content for one in calls}
    assert {"Export", "ExportAsync", "Tasks", "AuditReasons", "Repositories"} <= bodies.keys()
    assert json.loads(bodies["Export"])["auditReasonId"] == 1


async def _ask(bench: LaserficheBench, order: Any) -> None:
    await bench.vendor.ask("default", [order])
    await bench.close()


async def _check(bench: LaserficheBench) -> None:
    await bench.vendor.check("default")
    await bench.close()


def test_the_audit_reason_is_looked_up_once_for_many_orders(bench: LaserficheBench) -> None:
    options = {"auditReason": "Archival"}
    place(bench, *[small(bench, part, options=options) for part in ("Image", "Text")])
    assert bench.stats()["calls"]["reasons"] == 1


def test_an_audit_reason_that_is_not_there_is_named_with_those_that_are(
    bench: LaserficheBench,
) -> None:
    error = failing(bench, small(bench, options={"auditReason": "Obsolete"}))
    assert isinstance(error, OrderRefused)
    assert "'Obsolete'" in str(error)
    assert "'Legal hold', 'Archival'" in str(error)
    assert bench.stats()["orders"] == []


def test_the_entry_is_read_once_for_all_parts_of_a_scan(bench: LaserficheBench) -> None:
    spec = EntrySpec("x", pages=1, extension="pdf", edoc_bytes=500)
    place(bench, *[bench.placement(part=one, spec=spec) for one in ("Image", "Text", "Edoc")])
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


def granted(bench: LaserficheBench, name: str) -> int:
    with bench.ledger.read() as tx:
        return quotas.granted(tx, "laserfiche", "default", name)


async def _prepare(bench: LaserficheBench) -> None:
    await bench.vendor.prepare("default")
    await bench.close()


def test_all_parts_of_a_scan_at_once_read_its_entry_once(bench: LaserficheBench) -> None:
    spec = EntrySpec("x", pages=1, extension="pdf", edoc_bytes=500)
    placements = [bench.placement(part=one, spec=spec) for one in ("Image", "Text", "Edoc")]

    async def scenario() -> None:
        await asyncio.gather(*map(bench.vendor.place, placements))
        await bench.close()

    asyncio.run(scenario())
    assert bench.stats()["calls"]["entry"] == 1
    assert len(bench.arrived()) == 3


SLOW: list[Planned] = [
    answer(500),
    answer(408),
    answer(504),
    breaking(httpx.ReadTimeout),
]


@pytest.mark.parametrize("slow", SLOW)
def test_after_a_time_out_the_next_send_is_a_task(bench: LaserficheBench, slow: Planned) -> None:
    placement = small(bench)
    place(bench, placement)
    error = failing(bench, placement, slow)
    assert isinstance(error, VendorUnavailable)
    receipt = sent(bench, again(placement, sends=1))
    assert receipt.vendor_order
    assert [one["task"] for one in bench.stats()["orders"]] == ["", receipt.vendor_order]


def test_what_is_too_large_for_the_call_is_a_task_with_a_turn_of_its_own(
    bench: LaserficheBench,
) -> None:
    placement = small(bench)
    place(bench, placement)
    bench.planned.append(answer(413))
    receipt = sent(bench, placement)
    assert receipt.vendor_order
    (exports,) = bench.vendor.quotas("default")
    assert granted(bench, exports.name) == 1
    error = failing(bench, placement, answer(413), answer(413))
    assert isinstance(error, OrderRefused)


def test_a_locked_entry_is_tried_again_as_a_task(bench: LaserficheBench) -> None:
    placement = bench.placement(spec=EntrySpec("x", pages=1, traits=("locked",)))
    error = failing(bench, placement)
    assert isinstance(error, VendorUnavailable)
    assert error.status == 423
    assert sent(bench, again(placement, sends=1)).vendor_order


def test_an_entry_that_the_account_may_not_export_is_refused_alone(
    bench: LaserficheBench,
) -> None:
    error = failing(bench, bench.placement(spec=EntrySpec("x", pages=1, traits=("denied",))))
    assert isinstance(error, OrderRefused)
    assert "Access denied" in str(error)
    assert "grant the account the right" in str(error)


def test_a_403_of_everything_is_a_matter_of_the_account(bench: LaserficheBench) -> None:
    place(bench, bench.placement())
    error = failing(bench, bench.placement("102"), answer(403), answer(403))
    assert isinstance(error, AuthenticationFailed)


@pytest.mark.parametrize("status", [403, 404])
def test_a_wrong_repository_expires_no_scan(bench: LaserficheBench, status: int) -> None:
    place(bench, bench.placement())
    bench.planned.extend([answer(status), answer(200, text=REPOSITORIES)])
    with pytest.raises(ConfigError) as caught:
        place(bench, bench.placement("102"))
    assert str(caught.value).startswith("EXPORT_LASERFICHE_REPOSITORY: ")
    assert "r-other" in str(caught.value)


def test_an_address_without_the_api_expires_no_scan(bench: LaserficheBench) -> None:
    place(bench, bench.placement())
    bench.planned.extend([answer(404), answer(404)])
    with pytest.raises(ConfigError, match=r"^EXPORT_LASERFICHE_URL: no Laserfiche API answers"):
        place(bench, bench.placement("102"))


def test_a_scan_whose_repository_cannot_be_looked_for_is_not_expired(
    bench: LaserficheBench,
) -> None:
    place(bench, bench.placement())
    error = failing(bench, bench.lacking(), answer(404), answer(503))
    assert isinstance(error, VendorUnavailable)
    assert isinstance(failing(bench, bench.lacking()), ScanGone)


def test_neither_link_nor_token_is_in_the_ledgers_files(
    bench: LaserficheBench, tmp_path: Path
) -> None:
    place(bench, small(bench), bench.placement("102"))
    keeping = bench.vendor._served["default"].keeping
    link = asyncio.run(keeping.link(small(bench).order.id))
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
    asyncio.run(_ask(bench, order))
    assert sent(bench, second).vendor_order
    assert len(bench.arrived()) == 2


def test_a_send_that_fails_lets_the_next_long_operation_begin(bench: LaserficheBench) -> None:
    bench.vendor = bench.make_vendor(EXPORT_LASERFICHE_ONE_TASK="true")
    place(bench, small(bench))
    placement = bench.placement("102", spec=EntrySpec("x", pages=LARGE, traits=("denied",)))
    assert isinstance(failing(bench, placement), OrderRefused)
    assert sent(bench, bench.placement("103")).vendor_order
