import asyncio
import json
from pathlib import Path

import pytest

from export_pipeline.errors import AuthenticationFailed, BadInput, ConfigError, ExportPipelineError
from export_pipeline.ledger.database import Ledger, sqlite_url
from export_pipeline.settings import Settings
from export_pipeline.vendors.copyleaks.exports import Copyleaks
from export_pipeline.vendors.vendor import Delivery, Vendor
from export_pipeline_tests.vendors.copyleaks.bench import CopyleaksBench, order
from export_pipeline_tests.vendors.transport import answer

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


def test_a_failed_scan_registers_if_the_webhook_names_it(vendor: Vendor) -> None:
    error = {"error": {"id": "insufficient_credits", "message": "No credits."}}
    anonymous = json.dumps(error).encode()
    assert vendor.read_registration("error", anonymous) is None
    named = json.dumps({**error, "scannedDocument": {"scanId": "s-1"}}).encode()
    found = vendor.read_registration("ERROR", named)
    assert found is not None
    assert (found.scan, found.failure) == ("s-1", "insufficient_credits: No credits.")


@pytest.mark.parametrize("word", ["creditsChecked", "creditschecked", "indexed", "whatever"])
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
        Copyleaks(settings, Ledger(sqlite_url(tmp_path)))


def test_an_account_without_credentials_says_what_to_set(vendor: Vendor) -> None:
    with pytest.raises(ConfigError, match="set EXPORT_COPYLEAKS_EMAIL"):
        asyncio.run(vendor.check("default"))


def test_there_is_nothing_to_ask_and_nothing_to_pull(vendor: Vendor) -> None:
    assert asyncio.run(vendor.ask([order("essay-1")])) == {}
    with pytest.raises(ExportPipelineError, match="pushes its artifacts"):
        vendor.open(order("essay-1"), "overview.json")


def test_a_check_logs_in_once_and_says_until_when(bench: CopyleaksBench) -> None:
    async def scenario() -> list[str]:
        async with bench.vendor as vendor:
            return [await vendor.check("default"), await vendor.check("default")]

    first, second = asyncio.run(scenario())
    assert first == second
    assert "the token lives until 20" in first
    assert bench.logins() == 1


def test_a_check_of_wrong_credentials_says_so(bench: CopyleaksBench) -> None:
    bench.planned_logins.append(answer(400, text="bad key"))

    async def scenario() -> None:
        async with bench.vendor as vendor:
            await vendor.check("default")

    with pytest.raises(AuthenticationFailed, match='the login: the vendor said "bad key"'):
        asyncio.run(scenario())


def test_one_vendor_serves_one_event_loop_after_another(bench: CopyleaksBench) -> None:
    for _ in range(2):
        bench.forget_quotas()
        asyncio.run(_checked(bench))
    assert bench.logins() == 1


async def _checked(bench: CopyleaksBench) -> None:
    async with bench.vendor as vendor:
        await vendor.check("default")
        await vendor.client("default").resend_webhook(_added(bench))


def _added(bench: CopyleaksBench) -> str:
    return bench.placement("essay-resent").scan.scan
