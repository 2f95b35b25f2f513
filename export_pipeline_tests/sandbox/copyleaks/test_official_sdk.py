"""The vendor's own SDK, unchanged, finds in the sandbox what it expects of the vendor."""

import base64
import json
import warnings
from typing import Any

import pytest
from pydantic import PydanticDeprecatedSince20

from export_pipeline_tests.sandbox.copyleaks.api import Api

with warnings.catch_warnings():
    # Its models are written for pydantic 1.
    warnings.simplefilter("ignore", PydanticDeprecatedSince20)
    from copyleaks.consts import Consts
    from copyleaks.copyleaks import Copyleaks
    from copyleaks.exceptions.command_error import CommandError
    from copyleaks.models.export import Export, ExportCrawledVersion, ExportPdf, ExportResult
    from copyleaks.models.submit.document import FileDocument
    from copyleaks.models.submit.properties.pdf import Pdf
    from copyleaks.models.submit.properties.scan_properties import ScanProperties

# Python 3.12 says it of the SDK's check of its token.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

Json = dict[str, Any]
Item = ExportResult | ExportPdf | ExportCrawledVersion

SCAN = "essay-1"


@pytest.fixture(autouse=True)
def pointed_here(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own two settings, which it keeps for the whole process."""
    monkeypatch.setattr(Consts, "IDENTITY_SERVER_URI", api.sandbox.addresses["copyleaks_identity"])
    monkeypatch.setattr(Consts, "API_SERVER_URI", api.sandbox.addresses["copyleaks_api"])


@pytest.fixture
def token(api: Api) -> Json:
    addresses = api.sandbox.addresses
    return Copyleaks.login(addresses["copyleaks_email"], addresses["copyleaks_key"])


@pytest.fixture
def completed(api: Api, token: Json) -> Json:
    """What the webhook of a file tells that the SDK submitted."""
    properties = ScanProperties(f"{api.receiver.url}/hook/{{STATUS}}")
    pdf = Pdf()
    pdf.set_create(True)
    properties.set_pdf(pdf)
    document = FileDocument(base64.b64encode(b"An essay.").decode(), "essay.txt")
    document.set_properties(properties)
    Copyleaks.submit_file(token, SCAN, document)
    (hook,) = api.receiver.wait_for("/hook/completed")
    return json.loads(hook.body)


def test_it_takes_the_token_of_the_login_for_valid(token: Json) -> None:
    Copyleaks.verify_auth_token(token)


def test_a_file_that_it_submits_completes(completed: Json) -> None:
    assert completed["scannedDocument"]["scanId"] == SCAN
    assert completed["scannedDocument"]["enabled"]["pdfReport"] is True
    assert any(completed["results"][source] for source in ("internet", "database"))


def test_what_it_exports_is_delivered_and_reported(api: Api, token: Json, completed: Json) -> None:
    results = [one["id"] for one in completed["results"]["internet"]]

    Copyleaks.export(token, SCAN, "export-1", _export(api.receiver.url, results))

    (told,) = api.receiver.wait_for("/exported")
    tasks = json.loads(told.body)["tasks"]
    assert len(tasks) == len(results) + 2
    assert all(task["isHealthy"] for task in tasks)
    assert api.receiver.at("/pdf")[0].body.startswith(b"%PDF-")
    assert json.loads(api.receiver.at("/crawled")[0].body)["text"]
    for one in results:
        (received,) = api.receiver.at(f"/results/{one}")
        assert received.headers["x-of"] == one


def test_the_webhook_that_it_asks_for_again_comes_again(
    api: Api, token: Json, completed: Json
) -> None:
    Copyleaks.resend_webhook(token, SCAN)

    first, second = api.receiver.wait_for("/hook/completed", 2)
    assert json.loads(first.body) == json.loads(second.body) == completed


def test_a_refusal_reaches_its_caller_with_the_answer(api: Api, token: Json) -> None:
    with pytest.raises(CommandError) as refused:
        Copyleaks.export(token, "unknown", "export-1", _export(api.receiver.url, ["r1"]))

    assert refused.value.get_response().status_code == 404


def _export(url: str, results: list[str]) -> Export:
    order = Export()
    order.set_completion_webhook(f"{url}/exported")
    order.set_max_retries(2)
    order.set_results([_result(url, one) for one in results])
    pdf, text = ExportPdf(), ExportCrawledVersion()
    _aim(pdf, f"{url}/pdf")
    _aim(text, f"{url}/crawled")
    order.set_pdf_report(pdf)
    order.set_crawled_version(text)
    return order


def _result(url: str, name: str) -> ExportResult:
    made = ExportResult()
    made.set_id(name)
    made.set_headers([["X-Of", name]])
    _aim(made, f"{url}/results/{name}")
    return made


def _aim(item: Item, url: str) -> None:
    item.set_verb("PUT")
    item.set_endpoint(url)
