import json
from dataclasses import replace
from typing import Any

import pytest

from export_pipeline.errors import RateLimited
from export_pipeline.ledger.rows import Order
from export_pipeline_tests.vendors.conformance import place
from export_pipeline_tests.vendors.hookbridge.bench import UNKNOWN_EXPORT, HookBridgeBench
from export_pipeline_tests.vendors.pulled import asked
from export_pipeline_tests.vendors.rows import order
from export_pipeline_tests.vendors.transport import Planned, answer


def of(export_id: str) -> Order:
    return replace(order("hookbridge", export_id), vendor_order=export_id)


def refused(status: int, code: str) -> Planned:
    return answer(status, text=json.dumps({"error": {"code": code, "message": "no"}}))


def told(bench: HookBridgeBench, export_id: str, **changes: Any) -> Planned:
    """The export as the vendor shows it, but for the changes."""
    shown = bench.call("GET", f"/v1/exports/{export_id}").json()
    shown["data"] |= changes
    return answer(200, text=json.dumps(shown))


def test_a_question_leaves_out_what_cannot_be_asked_after_right_now(bench: HookBridgeBench) -> None:
    orders = [of(bench.made()), replace(of(bench.made()), id="other")]
    bench.faults(get=["503"])
    assert len(asked(bench, *orders)) == 1


def test_a_question_is_told_of_the_limit(bench: HookBridgeBench) -> None:
    bench.faults(get=["429"])
    with pytest.raises(RateLimited) as caught:
        asked(bench, of(bench.made()))
    assert caught.value.retry_after == 1


def test_a_question_takes_one_call_for_many_orders(bench: HookBridgeBench) -> None:
    orders = [replace(of(bench.made()), id=f"order-{number}") for number in range(30)]
    assert len(asked(bench, *orders)) == 30
    assert bench.stats()["calls"] == {"list": 1}


def test_a_question_goes_to_each_that_a_list_of_many_lacks(bench: HookBridgeBench) -> None:
    orders = [replace(of(UNKNOWN_EXPORT), id=f"order-{number}") for number in range(10)]
    found = asked(bench, *orders)
    assert len(found) == 10
    assert all("NOT_FOUND" in one.failure and not one.is_final for one in found.values())


def test_a_list_is_read_on_though_one_export_is_not_as_documented(bench: HookBridgeBench) -> None:
    orders = [replace(of(bench.made()), id=f"order-{number}") for number in range(10)]
    listed = bench.call("GET", "/v1/exports").json()
    listed["data"][0] = {"id": orders[-1].vendor_order, "status": "completed"}
    bench.planned.append(answer(200, text=json.dumps(listed)))
    assert len(asked(bench, *orders)) == 10
    assert bench.stats()["calls"] == {"list": 1, "get": 1}


def test_no_address_of_the_vendors_reason_is_kept(bench: HookBridgeBench) -> None:
    export_id = bench.made("fails")
    answered = bench.call("GET", f"/v1/exports/{export_id}").json()
    answered["data"]["error_message"] = "no room at https://s3.example/x?X-Amz-Signature=7"
    bench.planned.append(answer(200, text=json.dumps(answered)))
    (found,) = asked(bench, of(export_id)).values()
    assert found.failure.startswith("no room at https://s3.example/[redacted] (request id req_")


@pytest.mark.parametrize("orders", [1, 10])
def test_the_vendors_reason_of_a_failure_is_kept_with_the_requests_id(
    bench: HookBridgeBench, orders: int
) -> None:
    failed = of(bench.made("fails"))
    found = asked(bench, *[replace(failed, id=f"order-{number}") for number in range(orders)])
    reason = "The export could not be written (request id req_0000000000000001)"
    assert {one.failure for one in found.values()} == {reason}


@pytest.mark.parametrize(
    ("status", "code"),
    [(410, "EXPORT_EXPIRED"), (404, "NOT_FOUND"), (400, "INVALID_REQUEST"), (410, "BRAND_NEW")],
)
def test_an_export_that_is_over_or_refused_keeps_no_other_from_being_told(
    bench: HookBridgeBench, status: int, code: str
) -> None:
    orders = [of(bench.made()), replace(of(bench.made()), id="other")]
    bench.planned.append(refused(status, code))
    found = asked(bench, *orders)
    assert sorted(one.is_ready for one in found.values()) == [False, True]
    (failure,) = [one.failure for one in found.values() if one.failure]
    assert code in failure


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "archiving"},
        {"created_at": "2023-11-14T22:13:20", "filter_start_time": "2023-11-01T00:00:00"},
        {"created_at": "2023-11-14T22:13:20.1234567+05:30"},
        {"filter_endpoint_id": "", "filter_inbound_endpoint_id": "", "filter_status": ""},
        {"filter_endpoint_id": "ep_550e8400e29b41d4a716446655440000"},
        {"filter_start_time": None, "filter_end_time": None, "direction": "sideways"},
        {"row_count": 2**31 + 1, "file_size_bytes": 2**43, "newer": {"field": 1}},
        {"row_count": "12", "error_message": ""},
    ],
)
def test_an_export_is_waited_for_and_taken_however_it_tells_the_rest(
    bench: HookBridgeBench, changes: dict[str, Any]
) -> None:
    export_id = bench.made()
    is_known = "status" not in changes
    bench.planned.append(told(bench, export_id, **changes))
    assert [one.is_ready for one in asked(bench, of(export_id)).values()] == [True] * is_known


def test_a_list_that_shows_the_newest_alone_loses_nothing(bench: HookBridgeBench) -> None:
    """No document has pages of it (FACTS 3.2), and none says that it is whole."""
    orders = [replace(of(bench.made()), id=f"order-{number}") for number in range(12)]
    bench.options(listed=3)
    assert [one.is_ready for one in asked(bench, *orders).values()] == [True] * 12
    assert bench.stats()["calls"] == {"list": 1, "get": 9}


def test_a_repeat_finds_its_export_in_a_list_that_shows_the_newest_alone(
    bench: HookBridgeBench,
) -> None:
    bench.made()
    bench.options(listed=1)
    placement = bench.placement()
    (receipt,) = place(bench, placement)
    repeat = replace(placement, order=replace(placement.order, sends=1))
    assert place(bench, repeat)[0].vendor_order == receipt.vendor_order
