import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from export_pipeline.errors import (
    BadInput,
    ConfigError,
    ResultLost,
    VendorError,
    VendorUnavailable,
)
from export_pipeline.ledger.rows import Order
from export_pipeline.vendors.artifacts import Availability
from export_pipeline.vendors.hookbridge.client import DELETE_PAUSES
from export_pipeline.vendors.hookbridge.exports import HookBridge
from export_pipeline.vendors.vendor import Vendor
from export_pipeline_tests.vendors.conformance import shows_no_secret
from export_pipeline_tests.vendors.hookbridge.bench import UNKNOWN_EXPORT, HookBridgeBench
from export_pipeline_tests.vendors.pulled import placed, pull, ready
from export_pipeline_tests.vendors.rows import artifact, order, scan
from export_pipeline_tests.vendors.transport import answer, echoes

FILE = artifact("csv", "export.csv")


def of(export_id: str) -> Order:
    return replace(order("hookbridge", export_id), vendor_order=export_id)


def run(bench: HookBridgeBench, work: Callable[[HookBridge], Awaitable[object]]) -> object:
    async def scenario() -> object:
        try:
            return await work(bench.vendor)
        finally:
            await bench.close()

    return asyncio.run(scenario())


def lost(bench: HookBridgeBench, export_id: str) -> VendorError:
    with pytest.raises(ResultLost) as caught:
        pull(bench, of(export_id), FILE)
    return caught.value


def delete(bench: HookBridgeBench, *orders: Order) -> None:
    run(bench, lambda vendor: vendor.after_sealed(scan("hookbridge", bench.scans[0]), orders))


def test_it_is_a_vendor_that_is_asked_and_pulled(bench: HookBridgeBench) -> None:
    vendor: Vendor = bench.vendor
    assert (vendor.pushes, vendor.asking is not None) == (False, True)
    assert [quota.limit for quota in vendor.quotas("default")] == [120_000]


def test_a_scan_has_one_file_and_one_order(bench: HookBridgeBench) -> None:
    (planned,) = bench.vendor.plan(scan("hookbridge", bench.scans[0]))
    assert (planned.kind, planned.name) == ("csv", "export.csv")
    assert planned.availability == Availability.EXPECTED
    assert bench.vendor.parts([planned]) == [[planned]]


class TestAnExportsFile:
    def test_comes_with_what_the_vendor_says_of_it(self, bench: HookBridgeBench) -> None:
        made, file = ready(bench)
        opened = pull(bench, made, file).opened
        shown = bench.call("GET", f"/v1/exports/{made.vendor_order}").json()["data"]
        names = ("id", "row_count", "file_size_bytes", "created_at", "completed_at", "expires_at")
        assert opened.details == {name: shown[name] for name in names}
        assert opened.vendor_name == f"{made.vendor_order}.csv"

    def test_of_fewer_rows_than_said_is_lost_with_both_numbers(
        self, bench: HookBridgeBench
    ) -> None:
        error = lost(bench, bench.made("fewer_rows"))
        assert "23 rows came and the vendor says 24; it is ordered again" in str(error)

    @pytest.mark.parametrize("trait", ["fewer_rows", "fewer_bytes"])
    def test_that_is_not_as_said_names_the_request_that_said_so(
        self, bench: HookBridgeBench, trait: str
    ) -> None:
        assert lost(bench, bench.made(trait)).request_id == "req_0000000000000001"

    def test_of_fewer_bytes_than_said_is_lost_with_both_numbers(
        self, bench: HookBridgeBench
    ) -> None:
        export_id = bench.made("fewer_bytes")
        said = bench.call("GET", f"/v1/exports/{export_id}").json()["data"]["file_size_bytes"]
        assert f"it has {said // 2} bytes and should have {said}" in str(lost(bench, export_id))

    @pytest.mark.parametrize(("count", "size"), [(None, 3_000), (24, None), (None, None)])
    def test_is_taken_as_it_is_where_the_vendor_says_nothing(
        self, bench: HookBridgeBench, count: int | None, size: int | None
    ) -> None:
        export_id = bench.made()
        answered = bench.call("GET", f"/v1/exports/{export_id}").json()
        whole = bench.whole_file(of(export_id), FILE)
        size = size and len(whole)
        answered["data"] |= {"row_count": count, "file_size_bytes": size}
        bench.planned.append(answer(200, text=json.dumps(answered)))
        assert pull(bench, of(export_id), FILE).body == whole

    @pytest.mark.parametrize("status", [400, 409])
    def test_that_is_not_ready_is_read_later(self, bench: HookBridgeBench, status: int) -> None:
        bench.control("POST", "/options", {"not_ready": status})
        export_id = bench.made(age_seconds=0)
        with pytest.raises(VendorUnavailable, match="the export is pending; it is tried again"):
            pull(bench, of(export_id), FILE)
        bench.planned.append(answer(200, text=json.dumps(_completed(bench, export_id))))
        with pytest.raises(VendorUnavailable, match=r"EXPORT_NOT_READY.*request id req_") as caught:
            pull(bench, of(export_id), FILE)
        assert caught.value.status == status

    @pytest.mark.parametrize("is_deleted", [True, False])
    def test_that_went_between_two_calls_is_lost(
        self, bench: HookBridgeBench, is_deleted: bool
    ) -> None:
        export_id = bench.made()
        bench.planned.append(answer(200, text=json.dumps(_completed(bench, export_id))))
        path = f"/exports/{export_id}"
        bench.control(*(("DELETE", path) if is_deleted else ("POST", f"{path}/expire")))
        error = lost(bench, export_id)
        assert ("NOT_FOUND" if is_deleted else "EXPORT_EXPIRED") in str(error)
        assert error.request_id

    def test_that_was_deleted_is_lost_and_can_be_made_anew(self, bench: HookBridgeBench) -> None:
        assert "NOT_FOUND" in str(lost(bench, UNKNOWN_EXPORT))

    def test_that_was_replaced_while_it_was_read_is_lost(self, bench: HookBridgeBench) -> None:
        bench.faults(file=["cut", "changed"])
        assert "it was replaced while it was read" in str(lost(bench, bench.made()))

    def test_whose_host_is_away_is_read_later(self, bench: HookBridgeBench) -> None:
        bench.faults(file=["503"] * 5)
        with pytest.raises(VendorUnavailable, match="answers 503") as caught:
            pull(bench, of(bench.made()), FILE)
        shows_no_secret(caught.value, bench.secrets)

    def test_whose_links_all_die_is_lost(self, bench: HookBridgeBench) -> None:
        bench.faults(file=["dead"] * 3)
        error = lost(bench, bench.made())
        shows_no_secret(error, bench.secrets)
        assert bench.stats()["calls"]["download"] == 3

    def test_is_asked_of_its_host_without_a_credential(self, bench: HookBridgeBench) -> None:
        pull(bench, of(bench.made()), FILE)
        assert bench.stats()["calls"]["file"] == 1

    def test_leads_nowhere_without_a_redirect(self, bench: HookBridgeBench) -> None:
        export_id = bench.made()
        for status, location in ((302, {}), (200, {"Location": "https://files.example/"})):
            bench.planned.append(answer(200, text=json.dumps(_completed(bench, export_id))))
            bench.planned.append(answer(status, headers=location))
            with pytest.raises(VendorUnavailable):
                pull(bench, of(export_id), FILE)

    def test_shows_no_secret_in_the_errors_of_its_redirect(self, bench: HookBridgeBench) -> None:
        export_id = bench.made()
        shown = json.dumps(_completed(bench, export_id))
        for echo in (one for status in (200, 400, 404, 410, 500) for one in echoes(status)):
            bench.planned.extend([answer(200, text=shown), echo])
            with pytest.raises(VendorError) as caught:
                pull(bench, of(export_id), FILE)
            bench.planned.clear()
            shows_no_secret(caught.value, bench.secrets)


class TestDeletingWhatIsArchived:
    @pytest.mark.parametrize("value", ["1", "0", ""])
    def test_is_asked_for_by_a_variable(self, bench: HookBridgeBench, value: str) -> None:
        vendor = bench.make_vendor(EXPORT_HOOKBRIDGE_DELETE=value)
        assert vendor.deletes_archived == (value == "1")

    def test_is_done_to_every_export_of_the_orders(self, bench: HookBridgeBench) -> None:
        made = [bench.made(), bench.made()]
        unplaced = order("hookbridge", bench.scans[0])
        delete(bench, *map(of, made), of(made[0]), unplaced)
        assert bench.stats()["deleted"] == made

    def test_is_done_already_where_the_export_is_gone(self, bench: HookBridgeBench) -> None:
        made = bench.made()
        delete(bench, of(UNKNOWN_EXPORT), of(made))
        assert bench.stats()["deleted"] == [made]

    def test_is_tried_again_while_the_export_is_active(self, bench: HookBridgeBench) -> None:
        made = placed(bench, bench.placement())
        with pytest.raises(VendorUnavailable, match="EXPORT_ACTIVE"):
            delete(bench, made)
        assert bench.stats()["calls"]["delete"] == 1 + len(DELETE_PAUSES)

    def test_succeeds_once_the_export_ended(
        self, bench: HookBridgeBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = placed(bench, bench.placement())

        async def later(_: float) -> None:
            bench.end()

        monkeypatch.setattr(bench, "sleep", later)
        bench.vendor = bench.make_vendor()
        delete(bench, made)
        assert bench.stats()["deleted"] == [made.vendor_order]


def test_a_check_tries_the_key(bench: HookBridgeBench) -> None:
    said = run(bench, lambda vendor: vendor.check("default"))
    assert said == "the key works; the project has 3 exports"
    bench.planned.append(answer(401))
    with pytest.raises(VendorError, match="correct EXPORT_HOOKBRIDGE_KEY"):
        run(bench, lambda vendor: vendor.check("default"))


@pytest.mark.parametrize("status", [429, 503])
def test_a_check_that_fails_is_not_said_to_go_on_by_itself(
    bench: HookBridgeBench, status: int
) -> None:
    bench.planned.append(answer(status))
    with pytest.raises(VendorError, match="run `export-pipeline check` again later"):
        run(bench, lambda vendor: vendor.check("default"))


def test_another_account_has_a_key_of_its_own(bench: HookBridgeBench) -> None:
    bench.vendor = bench.make_vendor(
        EXPORT_HOOKBRIDGE_ACCOUNTS="eu", EXPORT_HOOKBRIDGE_EU_KEY="hb_live_of_the_eu"
    )
    assert bench.vendor.accounts == ["default", "eu"]
    with pytest.raises(VendorError, match="correct EXPORT_HOOKBRIDGE_EU_KEY"):
        run(bench, lambda vendor: vendor.check("eu"))
    assert "hb_live_of_the_eu" not in repr(vars(bench.vendor))


@pytest.mark.parametrize("end", ["/v1", "/v1/", "/"])
def test_the_version_may_stand_in_an_address(bench: HookBridgeBench, end: str) -> None:
    """It was asked for twice, and each export was taken to be gone at the vendor."""
    name = "EXPORT_HOOKBRIDGE_API_URL"
    bench.vendor = bench.make_vendor(**{name: bench.settings.vendor_variables[name] + end})
    run(bench, lambda vendor: vendor.place(bench.placement()))
    assert len(bench.arrived()) == 1


@pytest.mark.parametrize("key", ["hb_test_of\nthe_eu", "hb_test_of_the_eu ", "hb_test_für_die_eu"])
def test_a_key_that_no_header_can_carry_is_named_and_not_shown(
    bench: HookBridgeBench, key: str
) -> None:
    with pytest.raises(ConfigError, match=r"^EXPORT_HOOKBRIDGE_KEY: no key") as caught:
        bench.make_vendor(EXPORT_HOOKBRIDGE_KEY=key).require("default")
    assert "hb_test" not in str(caught.value)


def test_an_account_without_a_key_says_what_to_set(bench: HookBridgeBench) -> None:
    with pytest.raises(ConfigError, match="set EXPORT_HOOKBRIDGE_KEY"):
        bench.vendor.require("eu")


def test_webhooks_are_refused_since_the_vendor_sends_none(bench: HookBridgeBench) -> None:
    with pytest.raises(BadInput, match="sends no webhooks"):
        bench.vendor.read_registration("completed", b"{}")
    with pytest.raises(BadInput, match="sends no webhooks"):
        bench.vendor.read_completion(b"{}", {})


def _completed(bench: HookBridgeBench, export_id: str) -> dict[str, object]:
    answered = bench.call("GET", f"/v1/exports/{export_id}").json()
    return {"data": answered["data"] | {"status": "completed"}}
