import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    OrderInvalid,
    OrderRefused,
    ScanGone,
    TurnMissed,
    VendorUnavailable,
)
from export_pipeline.vendors.completion import Completion
from export_pipeline_tests.vendors.bench import again
from export_pipeline_tests.vendors.conformance import failing, place
from export_pipeline_tests.vendors.hookbridge.bench import UNKNOWN_EXPORT, HookBridgeBench
from export_pipeline_tests.vendors.transport import Planned, answer

WINDOW = {"start_time": "2023-11-01T00:00:00Z", "end_time": "2023-11-02T00:00:00Z"}
WINDOW_SCAN = "2023-11-01"


def refusing(status: int, code: str, message: str = "Message not found") -> Planned:
    envelope = {"error": {"code": code, "message": message}, "meta": {"request_id": "req_7"}}
    return answer(status, text=json.dumps(envelope))


def test_a_window_is_created_with_the_filters_that_its_id_names(bench: HookBridgeBench) -> None:
    endpoint = "01935abc-def0-7123-8567-890abcdef000"
    scan = f"2023-11-09t220000z_2023-11-10t220000z.inbound.pending_retry.{endpoint}"
    place(bench, bench.placement(scan))
    (created,) = bench.stats()["created"]
    assert created == {
        "id": created["id"],
        "direction": "inbound",
        "filter_start_time": "2023-11-09T22:00:00Z",
        "filter_end_time": "2023-11-10T22:00:00Z",
        "filter_status": "pending_retry",
        "filter_endpoint_id": None,
        "filter_inbound_endpoint_id": endpoint,
    }


def test_what_was_registered_goes_before_what_the_id_says(bench: HookBridgeBench) -> None:
    place(bench, bench.placement("essay", filters={**WINDOW, "status": "queued"}))
    ((scan, _),) = bench.arrived()
    assert scan == f"{WINDOW_SCAN}.queued"


def test_a_completed_export_is_adopted_and_is_ready_at_once(bench: HookBridgeBench) -> None:
    export_id = bench.made()
    (receipt,) = place(bench, bench.placement(export_id))
    assert receipt.vendor_order == export_id
    assert receipt.completion == Completion(is_ready=True)
    assert receipt.request_id
    assert bench.arrived() == []


def test_an_export_under_way_is_adopted_and_waited_for(bench: HookBridgeBench) -> None:
    export_id = bench.made(age_seconds=0)
    (receipt,) = place(bench, bench.placement(export_id))
    assert (receipt.vendor_order, receipt.completion) == (export_id, None)
    assert bench.arrived() == []


@pytest.mark.parametrize("is_failed", [True, False])
def test_an_adopted_export_that_is_over_is_made_anew_with_its_own_filters(
    bench: HookBridgeBench, is_failed: bool
) -> None:
    endpoint = "ep_550e8400e29b41d4a716446655440000"
    export_id = bench.made(*(["fails"] if is_failed else []), endpoint_id=endpoint)
    if not is_failed:
        bench.control("POST", f"/exports/{export_id}/expire")
    (receipt,) = place(bench, bench.placement(export_id))
    assert bench.arrived() == [(f"{WINDOW_SCAN}.{endpoint}", receipt.vendor_order)]
    assert receipt.vendor_order != export_id


def test_an_adopted_export_that_has_to_be_ordered_again_is_made_anew(
    bench: HookBridgeBench,
) -> None:
    placement = again(bench.placement(bench.made(status="queued")), attempt=2)
    place(bench, placement)
    assert [scan for scan, _ in bench.arrived()] == [f"{WINDOW_SCAN}.queued"]


def test_an_export_that_is_gone_says_what_to_do(bench: HookBridgeBench) -> None:
    error = failing(bench, bench.lacking())
    assert isinstance(error, ScanGone)
    assert error.request_id == "req_0000000000000001"
    assert "it was deleted, or its project is another one" in str(error)
    assert "register" in str(error)


def test_an_export_that_is_gone_is_made_anew_where_its_window_is_known(
    bench: HookBridgeBench,
) -> None:
    place(bench, bench.placement(UNKNOWN_EXPORT, export_id=UNKNOWN_EXPORT, filters=WINDOW))
    assert [scan for scan, _ in bench.arrived()] == [WINDOW_SCAN]


def test_an_export_of_before_there_were_directions_is_an_outbound_one(
    bench: HookBridgeBench,
) -> None:
    export_id = bench.made()
    shown = bench.call("GET", f"/v1/exports/{export_id}").json()
    shown["data"] |= {"status": "expired"}
    del shown["data"]["direction"]
    bench.planned.append(answer(200, text=json.dumps(shown)))
    place(bench, bench.placement(export_id))
    assert [scan for scan, _ in bench.arrived()] == [WINDOW_SCAN]


def test_filters_that_are_not_documented_cannot_be_made_anew(bench: HookBridgeBench) -> None:
    export_id = bench.made()
    shown = bench.call("GET", f"/v1/exports/{export_id}").json()
    shown["data"] |= {"status": "expired", "filter_status": "brand_new"}
    error = failing(bench, bench.placement(export_id), answer(200, text=json.dumps(shown)))
    assert isinstance(error, OrderInvalid)
    assert f"export {export_id} has filters that the vendor does not document" in str(error)


class TestARepeat:
    def test_takes_the_newest_export_of_the_same_filters(self, bench: HookBridgeBench) -> None:
        placement = bench.placement()
        place(bench, placement, placement)
        _, newest = [export_id for _, export_id in bench.arrived()]
        (receipt,) = place(bench, again(placement, sends=1))
        assert receipt.vendor_order == newest

    @pytest.mark.parametrize(("behind", "made"), [(59, 1), (61, 2)])
    def test_takes_one_by_a_clock_that_is_up_to_a_minute_behind(
        self, bench: HookBridgeBench, behind: int, made: int
    ) -> None:
        placement = again(bench.placement(), queued_at=bench.clock.now() + behind)
        place(bench, placement)
        place(bench, again(placement, sends=1))
        assert len(bench.arrived()) == made

    def test_takes_none_of_other_filters(self, bench: HookBridgeBench) -> None:
        others = [bench.placement(scan) for scan in ("2023-11-10.inbound", bench.scans[1])]
        place(bench, *others)
        place(bench, again(bench.placement(), sends=1))
        assert bench.arrived()[2][0] == bench.scans[0]

    def test_takes_none_that_was_made_for_an_earlier_order(self, bench: HookBridgeBench) -> None:
        place(bench, bench.placement())
        bench.clock.advance(600)
        place(bench, again(bench.placement(), sends=1, attempt=2))
        assert len(bench.arrived()) == 2

    def test_takes_none_that_is_over(self, bench: HookBridgeBench) -> None:
        placement = bench.failing()
        place(bench, placement)
        bench.end()
        place(bench, again(placement, sends=1))
        assert len(bench.arrived()) == 2

    def test_is_not_sent_blindly_while_the_list_cannot_be_read(
        self, bench: HookBridgeBench
    ) -> None:
        for fault in ("503", "garbage"):
            bench.faults(list=[fault])
            error = failing(bench, again(bench.placement(), sends=1))
            assert isinstance(error, VendorUnavailable)
        assert bench.arrived() == []


def test_only_the_first_call_of_an_order_uses_the_turn_that_was_claimed(
    bench: HookBridgeBench,
) -> None:
    asked: list[None] = []

    def is_on_time() -> bool:
        asked.append(None)
        return True

    place(bench, replace(again(bench.placement(), sends=1), is_on_time=is_on_time))
    assert len(asked) == 1
    assert bench.stats()["calls"] == {"list": 1, "create": 1}


def test_nothing_is_sent_once_the_turn_has_passed(bench: HookBridgeBench) -> None:
    with pytest.raises(TurnMissed):
        place(bench, replace(bench.placement(), is_on_time=lambda: False))
    assert bench.stats()["calls"] == {}


@pytest.mark.parametrize("status", [200, 201])
def test_either_success_is_one(bench: HookBridgeBench, status: int) -> None:
    bench.control("POST", "/options", {"created": status})
    (receipt,) = place(bench, bench.placement())
    assert receipt.vendor_order


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INVALID_REQUEST", OrderRefused),
        (403, "UNAUTHORIZED", AuthenticationFailed),
        (400, "FORBIDDEN", AuthenticationFailed),
        (400, "NOT_FOUND", ScanGone),
        (500, "NOT_FOUND", ScanGone),
        (409, "IDEMPOTENCY_CONFLICT", OrderRefused),
    ],
)
def test_the_vendors_code_decides_and_its_words_do_not(
    bench: HookBridgeBench, status: int, code: str, kind: type[Exception]
) -> None:
    error = failing(bench, bench.placement(), refusing(status, code, "Rate limit exceeded"))
    assert type(error) is kind
    assert error.request_id == "req_7"
    assert f'the vendor said "{code}: Rate limit exceeded"' in str(error)


def test_a_refused_key_names_its_variable(bench: HookBridgeBench) -> None:
    bench.vendor = bench.make_vendor(EXPORT_HOOKBRIDGE_KEY="hb_test_wrong")
    error = failing(bench, bench.placement())
    assert isinstance(error, AuthenticationFailed)
    assert "correct EXPORT_HOOKBRIDGE_KEY, then run `export-pipeline check`" in str(error)
    assert error.request_id == "req_0000000000000001"


@pytest.mark.parametrize("body", ["", "[]", '{"data": {}}', '{"data": {"id": "7"}}'])
def test_an_answer_that_is_not_documented_is_not_taken_for_an_order(
    bench: HookBridgeBench, body: str
) -> None:
    error = failing(bench, bench.placement(), answer(201, text=body))
    assert isinstance(error, VendorUnavailable)
    assert "EXPORT_HOOKBRIDGE_API_URL" in str(error)


def test_a_placement_that_takes_too_long_ends_before_its_lease(
    bench: HookBridgeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export_pipeline.vendors.channel.WHOLE_SECONDS", 0.05)

    async def hang(*_: Any) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(
        "export_pipeline_tests.vendors.transport.Interposed.handle_async_request", hang
    )
    error = failing(bench, bench.placement())
    assert isinstance(error, VendorUnavailable)
    assert "not done within" in str(error)
