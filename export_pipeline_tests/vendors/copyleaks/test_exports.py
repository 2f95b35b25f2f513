import asyncio
import json
from pathlib import Path

import httpx
import pytest

from export_pipeline.errors import (
    AuthenticationFailed,
    BadInput,
    ConfigError,
    ExportPipelineError,
    RateLimited,
    VendorUnavailable,
)
from export_pipeline.ledger import leases, quotas
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.settings import Settings
from export_pipeline.vendors.completion import Delivery
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.vendors.copyleaks.login import LOGINS
from export_pipeline.vendors.vendor import Vendor
from export_pipeline_tests.vendors.conformance import place
from export_pipeline_tests.vendors.copyleaks.bench import CopyleaksBench, order
from export_pipeline_tests.vendors.rows import artifact
from export_pipeline_tests.vendors.transport import answer, breaking

COMPLETED = json.dumps(
    {
        "scannedDocument": {"scanId": "s-1", "creationTime": "2024-01-01T00:00:00Z"},
        "results": {"internet": [{"id": "a"}]},
    }
).encode()
CREATED = 1_704_067_200


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return Copyleaks(Settings.from_env({}, tmp_path), Ledger(sqlite_url(tmp_path)))


def completion(*tasks: dict[str, object], completed: bool = True) -> bytes:
    return json.dumps({"completed": completed, "tasks": tasks}).encode()


@pytest.mark.parametrize("word", ["completed", "Completed", "COMPLETED"])
def test_a_completed_scan_registers_in_any_case(vendor: Vendor, word: str) -> None:
    found = vendor.read_registration(word, COMPLETED)
    assert found is not None
    assert (found.scan, found.details["result_ids"], found.failure) == ("s-1", ["a"], "")
    assert found.expires_at == CREATED + 2880 * 3600


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.9999999Z",
        "",
        "soon",
    ],
)
def test_a_time_that_stands_for_none_costs_neither_the_scan_nor_those_behind_it(
    vendor: Vendor, moment: str
) -> None:
    """.NET writes what is not set as year 1; the last year overflowed, and ended the sensor."""
    document = {"scanId": "s-1", "creationTime": moment}
    found = vendor.read_registration(
        "completed", json.dumps({"scannedDocument": document}).encode()
    )
    assert found is not None
    assert (found.scan, found.expires_at) == ("s-1", None)


@pytest.mark.parametrize(
    "told",
    [
        {"scannedDocument": {"scanId": "s-1", "totalWords": 1.5}},
        {"scannedDocument": {"scanId": "s-1", "metadata": {"author": ["a", "b"], "filename": {}}}},
        {"scannedDocument": {"scanId": "s-1", "enabled": {"pdfReport": "maybe"}}},
        {"notifications": {"alerts": [{"category": "Unheard", "severity": "high", "title": 7}]}},
        {"status": "completed", "filters": [], "writingFeedback": 3},
    ],
)
def test_what_is_only_told_may_be_of_any_form(vendor: Vendor, told: dict[str, object]) -> None:
    body = {"scannedDocument": {"scanId": "s-1"}, "results": {"internet": [{"id": "a"}]}, **told}
    found = vendor.read_registration("completed", json.dumps(body).encode())
    assert found is not None
    assert (found.scan, found.details) == ("s-1", {"result_ids": ["a"]})


@pytest.mark.parametrize("word", ["completed", "error", "creditsChecked"])
def test_a_scan_id_that_the_vendor_cannot_have_is_bad_input(vendor: Vendor, word: str) -> None:
    body = json.dumps({"scannedDocument": {"scanId": "A" * 120}}).encode()
    with pytest.raises(BadInput, match=r"scannedDocument.scanId: .*\{3,36\}"):
        vendor.read_registration(word, body)


def test_a_failed_scan_registers_if_the_webhook_names_it(vendor: Vendor) -> None:
    error = {"error": {"id": "insufficient_credits", "message": "No credits."}}
    named = json.dumps({**error, "scannedDocument": {"scanId": "s-1"}}).encode()
    found = vendor.read_registration("ERROR", named)
    assert found is not None
    assert (found.scan, found.failure) == ("s-1", "insufficient_credits: No credits.")


def test_a_failed_scan_registers_by_the_developer_payload_that_we_were_told_to_set(
    vendor: Vendor,
) -> None:
    body = {"status": 1, "error": {"code": 12, "message": "No."}, "developerPayload": "s-1"}
    found = vendor.read_registration("error", json.dumps(body).encode())
    assert found is not None
    assert (found.scan, found.failure) == ("s-1", "No.")
    body["scannedDocument"] = {"scanId": "s-2"}
    named = vendor.read_registration("error", json.dumps(body).encode())
    assert named is not None
    assert named.scan == "s-2"


@pytest.mark.parametrize("payload", [None, "", "no scan id", "x" * 37, 1.5, {"scan": "s-1"}])
def test_a_failed_scan_without_a_name_is_bad_input_with_what_to_do(
    vendor: Vendor, payload: object
) -> None:
    error = {"type": "payment_error", "id": "insufficient_credits", "message": "No credits."}
    body = json.dumps({"status": 1, "error": error, "developerPayload": payload}).encode()
    with pytest.raises(BadInput) as caught:
        vendor.read_registration("error", body)
    assert str(caught.value) == (
        "the vendor failed a scan and did not name it: payment_error: insufficient_credits:"
        " No credits.; put the scan id into developerPayload when submitting"
    )


def test_a_status_word_that_is_none_of_the_vendors_is_bad_input(vendor: Vendor) -> None:
    with pytest.raises(BadInput, match=r"^status word 'zzz' is none of the vendor's"):
        vendor.read_registration("zzz", b"{}")


@pytest.mark.parametrize("word", ["creditsChecked", "creditschecked", "indexed"])
def test_other_webhooks_register_nothing(vendor: Vendor, word: str) -> None:
    assert vendor.read_registration(word, b'{"status": 3}') is None


@pytest.mark.parametrize("word", ["completed", "error", "creditsChecked", "indexed"])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff"])
def test_a_webhook_that_is_no_json_object_is_bad_input(
    vendor: Vendor, word: str, body: bytes
) -> None:
    with pytest.raises(BadInput, match="Webhook that Copyleaks documents"):
        vendor.read_registration(word, body)


def test_tasks_are_matched_by_scheme_host_and_path_alone(vendor: Vendor) -> None:
    endpoints = {
        "pdf_report.pdf": "https://Store.example:443/a%2Fb/pdf?sig=1",
        "overview.json": "https://store.example/overview?sig=2",
        "results/r1.json": "https://store.example/r1",
    }
    tasks = [
        {"endpoint": "https://store.example/a/b/pdf", "isHealthy": True, "httpStatusCode": 201},
        {"endpoint": "https://store.example/overview?x", "isHealthy": False},
        {"endpoint": "http://store.example/r1", "isHealthy": True, "httpStatusCode": 200},
        {"endpoint": "https://[broken", "isHealthy": True, "httpStatusCode": 200},
    ]
    found = vendor.read_completion(completion(*tasks), endpoints)
    assert found.deliveries == (
        Delivery("pdf_report.pdf", healthy=True, status=201),
        Delivery("overview.json", healthy=False, status=None),
    )
    assert found.unmatched == 2


@pytest.mark.parametrize("body", [b"{}", b"no", completion(completed=False)])
def test_an_export_that_did_not_complete_is_no_completion(vendor: Vendor, body: bytes) -> None:
    with pytest.raises(BadInput):
        vendor.read_completion(body, {})


def test_exports_per_minute_are_the_first_quota(vendor: Vendor) -> None:
    found = [(quota.limit, quota.window_seconds) for quota in vendor.quotas("default")]
    assert found == [(10, 60), (10, 1)]


def test_an_unknown_artifact_in_the_settings_is_named(tmp_path: Path) -> None:
    settings = Settings.from_env({"EXPORT_COPYLEAKS_ARTIFACTS": "pdf,overview"}, tmp_path)
    with pytest.raises(ConfigError, match="'pdf' is no artifact: use results"):
        Copyleaks(settings, Ledger(sqlite_url(tmp_path))).require("default")


def test_an_account_without_credentials_says_what_to_set(vendor: Vendor) -> None:
    with pytest.raises(ConfigError, match="set EXPORT_COPYLEAKS_EMAIL"):
        asyncio.run(vendor.check("default"))


@pytest.mark.parametrize("name", ["API", "LOGIN"])
@pytest.mark.parametrize("url", ["api.copyleaks.com", "ftp://host", "https://", "https://h/?k=v"])
def test_an_address_that_is_none_is_named(tmp_path: Path, name: str, url: str) -> None:
    variable = f"EXPORT_COPYLEAKS_{name}_URL"
    settings = Settings.from_env({variable: url}, tmp_path)
    with pytest.raises(ConfigError, match=f"^{variable}: write it as https://api.copyleaks.com"):
        Copyleaks(settings, Ledger(sqlite_url(tmp_path))).require("default")


@pytest.mark.parametrize("end", ["/v3", "/v3/", "/"])
def test_the_version_may_stand_in_an_address(bench: CopyleaksBench, end: str) -> None:
    """It was asked for twice, and each scan was taken to be gone at the vendor."""
    names = ("EXPORT_COPYLEAKS_API_URL", "EXPORT_COPYLEAKS_LOGIN_URL")
    given = {name: bench.settings.vendor_variables[name] + end for name in names}
    bench.vendor = bench.make_vendor(**given)
    place(bench, bench.placement())
    assert [scan for scan, _ in bench.arrived()] == ["essay-1"]


def test_there_is_nothing_to_ask_and_nothing_to_pull(vendor: Vendor) -> None:
    assert asyncio.run(vendor.ask("default", [order("essay-1")])) == {}
    with pytest.raises(ExportPipelineError, match="pushes its artifacts"):
        vendor.open(order("essay-1"), artifact("overview", "overview.json"))


def check(bench: CopyleaksBench) -> str:
    async def scenario() -> str:
        async with bench.vendor as vendor:
            return await vendor.check("default")

    return asyncio.run(scenario())


def test_a_check_logs_in_each_time_and_says_until_when(bench: CopyleaksBench) -> None:
    first, second = check(bench), check(bench)
    assert first == second
    assert "the token lives until 20" in first
    assert bench.logins() == 2


def test_a_check_of_wrong_credentials_says_so(bench: CopyleaksBench) -> None:
    bench.planned_logins.append(answer(400, text="bad key"))
    with pytest.raises(AuthenticationFailed, match='the login: the vendor said "bad key"'):
        check(bench)


def test_a_check_of_a_revoked_key_says_so_though_a_token_is_cached_and_leaves_that_one(
    bench: CopyleaksBench,
) -> None:
    check(bench)
    bench.planned_logins.append(answer(401, text="revoked"))
    with pytest.raises(AuthenticationFailed, match='the vendor said "revoked"'):
        check(bench)
    place(bench, bench.placement())
    assert bench.logins() == 1


def test_a_check_waits_for_no_login_quota_and_says_what_it_could_not_try(
    bench: CopyleaksBench,
) -> None:
    check(bench)
    with bench.ledger.write() as tx:
        for _ in range(LOGINS.burst):
            quotas.claim(tx, "copyleaks", "default", [LOGINS])
        granted = quotas.granted(tx, "copyleaks", "default", LOGINS.name)
    said = check(bench)
    assert said.startswith("not tried now: the limit of logins per 15 minutes or a pause of the")
    assert "a token is cached until 20" in said
    assert bench.logins() == 1
    with bench.ledger.read() as tx:
        assert quotas.granted(tx, "copyleaks", "default", LOGINS.name) == granted
        assert not leases.is_held(tx, "login/copyleaks/default")


def test_a_check_within_no_quota_and_without_a_token_fails(bench: CopyleaksBench) -> None:
    with bench.ledger.write() as tx:
        for _ in range(LOGINS.burst):
            quotas.claim(tx, "copyleaks", "default", [LOGINS])
    with pytest.raises(VendorUnavailable, match="holds it back until") as caught:
        check(bench)
    assert "by itself" not in str(caught.value)
    assert "run `export-pipeline check` again" in str(caught.value)


@pytest.mark.parametrize("status", [429, 503, 200])
def test_a_login_that_fails_in_a_check_is_not_said_to_go_on_by_itself(
    bench: CopyleaksBench, status: int
) -> None:
    bench.planned_logins.append(answer(status, text="no"))
    with pytest.raises((RateLimited, VendorUnavailable)) as caught:
        check(bench)
    assert "by itself" not in str(caught.value)


def test_a_check_that_nobody_answers_does_not_say_that_it_goes_on_by_itself(
    bench: CopyleaksBench,
) -> None:
    bench.planned_logins.append(breaking(httpx.ConnectError))
    with pytest.raises(VendorUnavailable, match="no connection") as caught:
        check(bench)
    assert "by itself" not in str(caught.value)


def test_one_vendor_serves_one_event_loop_after_another(bench: CopyleaksBench) -> None:
    for _ in range(2):
        bench.forget_quotas()
        asyncio.run(_checked(bench))
    assert bench.logins() == 2


async def _checked(bench: CopyleaksBench) -> None:
    async with bench.vendor as vendor:
        await vendor.check("default")
        await vendor.client("default").resend_webhook(_added(bench))


def _added(bench: CopyleaksBench) -> str:
    return bench.placement("essay-resent").scan.scan
