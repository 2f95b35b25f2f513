"""What the suites do not ask: what orders cost, and what they come to."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from export_pipeline.errors import (
    OrderInvalid,
    OrderRefused,
    RateLimited,
    ScanGone,
    TurnMissed,
    VendorUnavailable,
)
from export_pipeline.ledger.rows import Order
from export_pipeline.vendors.artifacts import Availability
from export_pipeline.vendors.cloudconvert.api import CreditsSpent
from export_pipeline.vendors.cloudconvert.artifacts import UNKNOWN
from export_pipeline.vendors.cloudconvert.ending import LISTED_FROM
from export_pipeline.vendors.cloudconvert.models import place_of
from export_pipeline.vendors.completion import Completion
from export_pipeline_tests.vendors.cloudconvert.bench import UNKNOWN_JOB, CloudConvertBench
from export_pipeline_tests.vendors.cloudconvert.orders import run, sent
from export_pipeline_tests.vendors.conformance import failing, place
from export_pipeline_tests.vendors.pulled import asked, placed, pull, ready
from export_pipeline_tests.vendors.transport import answer


def test_a_scan_costs_three_calls_and_one_for_each_question(bench: CloudConvertBench) -> None:
    order, file = ready(bench)
    pull(bench, order, file)
    assert bench.stats()["calls"] == {"get": 3, "create": 1, "file": 1}


def ended(bench: CloudConvertBench) -> list[Order]:
    """As many orders as are asked after by pages."""
    files = [[f"{number}.txt"] for number in range(LISTED_FROM)]
    orders = [placed(bench, bench.placement(bench.made(names))) for names in files]
    bench.end()
    return orders


def test_many_orders_are_asked_after_by_pages(bench: CloudConvertBench) -> None:
    orders, before = ended(bench), bench.calls()
    assert asked(bench, *orders).keys() == {order.id for order in orders}
    assert bench.calls() == before + 1


def test_what_a_page_shows_in_another_form_is_asked_after_alone(bench: CloudConvertBench) -> None:
    """It ended the question after all of them, and the sensor's run."""
    orders = ended(bench)
    page = bench.call("GET", "/v2/tasks").json()
    odd = place_of(orders[0].vendor_order or "")[1]
    (shown,) = [one for one in page["data"] if one["id"] == odd]
    shown["ended_at"] = "yesterday"
    bench.planned.append(answer(200, text=json.dumps(page)))
    before = bench.calls()
    assert asked(bench, *orders).keys() == {order.id for order in orders}
    assert bench.calls() == before + 1


def test_an_export_without_a_cause_of_its_own_names_the_task_elsewhere(
    bench: CloudConvertBench,
) -> None:
    order = placed(bench, bench.placement(bench.scans[1]))
    task = "36af6f54-1c01-45cc-bcc3-97dd23d2f93d"
    failed: dict[str, Any] = {"id": "e", "operation": "export/url", "status": "error"}
    failed |= {"code": "INPUT_TASK_FAILED", "message": "Input task has failed"}
    failed |= {"depends_on_tasks": {"convert-it": task}}
    cause = {"id": task, "name": "convert-it", "operation": "convert", "status": "error"}
    cause |= {"message": "The file is encrypted", "code": "INVALID_FILE"}
    for data in (failed, cause):
        bench.planned.append(lambda _, data=data: httpx.Response(200, json={"data": data}))
    completion = asked(bench, order)[order.id]
    assert "task convert-it (convert): The file is encrypted, INVALID_FILE" in completion.failure
    assert completion.is_final


def test_a_failed_part_of_a_job_is_absent_with_its_reason(bench: CloudConvertBench) -> None:
    tasks = [
        {"id": "1", "name": "good", "operation": "convert", "status": "finished"},
        {"id": "2", "name": "bad", "operation": "convert", "status": "error", "message": "no"},
    ]
    tasks[0] |= {"result": {"files": [{"filename": "a.txt"}]}}
    job = {"id": bench.scans[0], "status": "error", "tasks": tasks}
    made = {"id": "made", "status": "processing", "operation": "export/url"}
    for data in (job, made):
        bench.planned.append(lambda _, data=data: httpx.Response(200, json={"data": data}))
    (receipt,) = place(bench, bench.placement())
    assert receipt.files is not None
    assert [(one.name, one.availability) for one in receipt.files] == [
        ("files/a.txt", Availability.EXPECTED),
        ("files/bad.failed", Availability.ABSENT),
    ]
    assert "task bad (convert): no" in receipt.files[1].reason


def test_a_job_without_files_has_none_and_that_is_no_failure(bench: CloudConvertBench) -> None:
    (receipt,) = place(bench, bench.placement(bench.made([])))
    assert receipt.files is not None
    assert [(one.name, one.availability) for one in receipt.files] == [
        (UNKNOWN.name, Availability.ABSENT)
    ]
    assert receipt.completion == Completion()


@pytest.mark.parametrize("status", ["waiting", "processing", None])
def test_what_has_not_ended_is_tried_again(bench: CloudConvertBench, status: str | None) -> None:
    data = {"id": bench.scans[0], "status": status}
    error = failing(bench, bench.placement(), lambda _: httpx.Response(200, json={"data": data}))
    assert isinstance(error, VendorUnavailable)
    assert "has not ended" in str(error)


def test_an_export_cannot_be_exported_again(bench: CloudConvertBench) -> None:
    data = {"id": bench.scans[0], "status": "finished", "operation": "export/s3"}
    placement = bench.placement(kind="task")
    error = failing(bench, placement, lambda _: httpx.Response(200, json={"data": data}))
    assert isinstance(error, OrderInvalid)
    assert "register the task that it exports" in str(error)


def test_a_tag_that_no_job_has_is_gone(bench: CloudConvertBench) -> None:
    with pytest.raises(ScanGone, match="no job has that tag"):
        place(bench, bench.placement("tag:nobody's", kind="tag"))


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ({"message": "run out", "code": "CREDITS_EXCEEDED"}, CreditsSpent, "is deleted 24 hours"),
        ({"message": "You have started too many jobs at once"}, RateLimited, "goes on by itself"),
        ({"message": "pay"}, CreditsSpent, "buy credits"),
    ],
)
def test_a_402_waits_for_other_jobs_or_for_a_person(
    bench: CloudConvertBench, body: dict[str, str], kind: type[Exception], said: str
) -> None:
    error = failing(bench, bench.placement(), lambda _: httpx.Response(402, json=body))
    assert type(error) is kind
    assert said in str(error)


@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_names_the_fields_at_either_status(bench: CloudConvertBench, status: int) -> None:
    body = {"message": "The given data was invalid.", "code": "INVALID_DATA"}
    body |= {"errors": {"tasks.one.input": ["The input is invalid."]}}  # type: ignore[dict-item]
    error = failing(bench, bench.placement(), lambda _: httpx.Response(status, json=body))
    assert type(error) is OrderRefused
    assert error.fields == ("tasks.one.input",)
    assert "tasks.one.input: The input is invalid." in str(error)


def test_a_turn_that_passed_sends_nothing(bench: CloudConvertBench) -> None:
    with pytest.raises(TurnMissed):
        place(bench, replace(bench.placement(), is_on_time=lambda: False))
    assert bench.calls() == 0


@pytest.mark.parametrize("body", ["{}", "[]", '{"data": {}}', "not json"])
def test_an_answer_that_is_not_as_documented_is_tried_again(
    bench: CloudConvertBench, body: str
) -> None:
    error = failing(bench, bench.placement(), answer(200, text=body))
    assert isinstance(error, VendorUnavailable)
    assert "check EXPORT_CLOUDCONVERT_API_URL" in str(error)


def test_want_of_credits_says_when_the_scan_is_deleted(bench: CloudConvertBench) -> None:
    placement = bench.placement()
    placement = replace(placement, scan=replace(placement.scan, expires_at=1_800_000_000.0))
    bench.faults(create=["credits"])
    error = failing(bench, placement)
    assert "buy credits for the account of EXPORT_CLOUDCONVERT_KEY before" in str(error)
    assert "2027-01-15 08:00 UTC" in str(error)


def test_a_task_registered_without_its_kind_is_known_as_one(bench: CloudConvertBench) -> None:
    (task, *_) = [task for task, job in bench.jobs.items() if job == bench.scans[1]]
    (receipt,) = place(bench, bench.placement(task))
    assert sent(bench, receipt.vendor_order)["input"] == [task]
    scan = bench.placement(task).scan
    run(bench, lambda: bench.vendor.erase(scan, []))
    assert bench.stats()["deleted"] == [task]


@pytest.mark.parametrize(("details", "calls"), [({}, 2), ({"kind": "job"}, 1)])
def test_a_scan_that_is_gone_is_asked_for_as_a_task_only_if_nobody_said_it_is_a_job(
    bench: CloudConvertBench, details: dict[str, str], calls: int
) -> None:
    with pytest.raises(ScanGone, match="24 hours after its end"):
        place(bench, bench.placement(UNKNOWN_JOB, **details))
    assert bench.calls() == calls
