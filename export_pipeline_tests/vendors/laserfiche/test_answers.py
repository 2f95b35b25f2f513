"""Answers that the sandbox never gives: successes that are none, words that no document has."""

import asyncio
import json
from typing import Any

import pytest

from export_pipeline.errors import VendorUnavailable
from export_pipeline.vendors.laserfiche.discovery import Cursor, Look, Source
from export_pipeline.vendors.laserfiche.options import LaserficheOptions
from export_pipeline_tests.vendors.conformance import place
from export_pipeline_tests.vendors.laserfiche.bench import LaserficheBench
from export_pipeline_tests.vendors.pulled import asked, placed
from export_pipeline_tests.vendors.transport import Planned, answer

NO_SUCCESS = (
    '{"error": {"code": "", "message": "An error has occurred."}}',
    '{"title": "An error occurred.", "status": 500}',
    '{"value": null}',
    "{}",
    "",
    "<html>Sign in</html>",
)


def tasks(*told: dict[str, Any]) -> Planned:
    return answer(200, text=json.dumps({"value": told}))


def listing(*entries: dict[str, Any]) -> Planned:
    return answer(200, text=json.dumps({"value": entries}))


def look(bench: LaserficheBench) -> list[str]:
    async def scenario() -> list[str]:
        client = bench.vendor.client("default")
        found = Look(client, Source(folder=1), Cursor(), LaserficheOptions(), 0.0)
        try:
            return [one.scan async for page in found.pages() for one in page]
        finally:
            await bench.close()

    return asyncio.run(scenario())


@pytest.mark.parametrize("body", NO_SUCCESS)
def test_a_success_without_a_list_of_tasks_loses_none(bench: LaserficheBench, body: str) -> None:
    order = placed(bench, bench.placement())
    bench.planned.append(answer(200, text=body))
    with pytest.raises(VendorUnavailable, match="not what the vendor documents"):
        asked(bench, order)


@pytest.mark.parametrize("body", NO_SUCCESS)
def test_a_success_without_a_list_of_entries_is_no_empty_folder(
    bench: LaserficheBench, body: str
) -> None:
    place(bench, bench.placement())
    bench.planned.append(answer(200, text=body))
    with pytest.raises(VendorUnavailable, match="not what the vendor documents"):
        look(bench)


def test_an_entry_whose_type_is_not_told_is_not_passed_over(bench: LaserficheBench) -> None:
    place(bench, bench.placement())
    bench.planned.append(listing({"id": 7, "name": "x", "entryType": None}))
    with pytest.raises(VendorUnavailable, match="entryType"):
        look(bench)


def test_what_an_entry_does_not_tell_and_more_than_is_known_does_no_harm(
    bench: LaserficheBench,
) -> None:
    place(bench, bench.placement())
    bare = {"id": "2147483647", "entryType": "Document", "newField": {"a": [1]}}
    bench.planned.append(
        listing({**bare, "name": None, "lastModifiedTime": None}, {"id": 8, "entryType": "EForm"})
    )
    assert look(bench) == ["2147483647"]


@pytest.mark.parametrize("status", ["Queued", "Canceling"])
def test_a_task_of_a_status_that_is_not_documented_is_waited_for_and_hides_no_other(
    bench: LaserficheBench, status: str
) -> None:
    new, ended = placed(bench, bench.placement()), placed(bench, bench.placement("102"))
    bench.planned.append(
        tasks(
            {"id": new.vendor_order, "status": status},
            {"id": ended.vendor_order, "status": "Completed", "result": {"uri": "http://x/1"}},
        )
    )
    found = asked(bench, new, ended)
    assert {name: one.is_ready for name, one in found.items()} == {ended.id: True}
