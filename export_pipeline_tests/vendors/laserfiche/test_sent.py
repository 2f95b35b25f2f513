"""What goes to the vendor is what its own document has."""

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

from export_pipeline_tests.vendors.conformance import place
from export_pipeline_tests.vendors.laserfiche.bench import LaserficheBench, sent
from export_pipeline_tests.vendors.pulled import asked


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
    sent(bench, bench.small(options={**options, "pageRange": "1"}))
    large = bench.placement("102", options={**options, "pageRange": "1-3,30-60"})
    order = replace(large.order, vendor_order=sent(bench, large).vendor_order)
    asked(bench, order)
    asyncio.run(_check(bench))
    bodies = {one.url.path.rpartition("/")[2]: one.content for one in calls}
    assert {"Export", "ExportAsync", "Tasks", "AuditReasons", "Repositories"} <= bodies.keys()
    assert json.loads(bodies["Export"])["auditReasonId"] == 1


async def _check(bench: LaserficheBench) -> None:
    await bench.vendor.check("default")
    await bench.close()


def test_the_audit_reason_is_looked_up_once_for_many_orders(bench: LaserficheBench) -> None:
    options = {"auditReason": "Archival"}
    place(bench, *[bench.small(part, options=options) for part in ("Image", "Text")])
    assert bench.stats()["calls"]["reasons"] == 1
