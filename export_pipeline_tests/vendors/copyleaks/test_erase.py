"""Deleting a scan at Copyleaks, where it is to be forgotten there too."""

import asyncio
import json

import httpx
import pytest

from export_pipeline.errors import ScanGone, VendorError
from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.vendors.conformance import failing, place
from export_pipeline_tests.vendors.copyleaks.bench import CopyleaksBench, scan
from export_pipeline_tests.vendors.transport import answer

HOSTILE = 'a/../b%2f;:"<x>=2e'


def erase(bench: CopyleaksBench, scan_id: str) -> None:
    async def scenario() -> None:
        try:
            await bench.vendor.erase(scan(scan_id), [])
        finally:
            await bench.close()

    asyncio.run(scenario())


def test_an_erased_scan_is_gone_and_erasing_it_again_is_fine(bench: CopyleaksBench) -> None:
    bench.add(ScanSpec(HOSTILE))
    place(bench, bench.placement(HOSTILE, at_vendor=False))
    erase(bench, HOSTILE)
    erase(bench, HOSTILE)
    error = failing(bench, bench.placement(HOSTILE, at_vendor=False))
    assert isinstance(error, ScanGone)


def test_it_is_asked_to_be_purged(bench: CopyleaksBench) -> None:
    asked: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(202, json={})

    erase(bench, bench.scans[0])
    bench.planned.append(note)
    erase(bench, HOSTILE)
    assert asked[0].method == "PATCH"
    assert asked[0].url.path.endswith("/v3.1/scans/delete")
    assert json.loads(asked[0].content) == {"scans": [{"id": HOSTILE}], "purge": True}


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_deletion_that_is_refused_is_told_with_the_scan(
    bench: CopyleaksBench, status: int
) -> None:
    erase(bench, bench.scans[0])
    bench.planned.extend([answer(status)] * 3)
    with pytest.raises(VendorError, match=r"scan essay-x, .*HTTP status"):
        erase(bench, "essay-x")
    bench.planned.clear()
