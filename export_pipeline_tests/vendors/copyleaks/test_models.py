import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from export_pipeline.validation import in_words
from export_pipeline.vendors.copyleaks.details import ScanDetails
from export_pipeline.vendors.copyleaks.models import ID, LoginAnswer, read_error
from export_pipeline.vendors.copyleaks.requests import (
    RESULTS_PER_EXPORT,
    Destination,
    ExportRequest,
    ResultDestination,
)
from export_pipeline.vendors.copyleaks.webhooks import CompletedWebhook

LOGIN = {
    "access_token": "ACLNS-token",
    ".issued": "2018-11-24T16:15:38.2431255+02:00",
    ".expires": "2018-11-26T16:15:38.2431255+02:00",
}


def test_a_login_is_read_with_seven_digits_and_an_offset() -> None:
    answer = LoginAnswer.model_validate_json(json.dumps(LOGIN))
    assert answer.expires.astimezone(UTC) == datetime(2018, 11, 26, 14, 15, 38, 243125, tzinfo=UTC)
    assert answer.life_seconds == 48 * 3600
    assert "ACLNS" not in repr(answer)


@pytest.mark.parametrize("token", ["", "two\r\nlines", "tökén"])
def test_a_token_that_no_header_can_carry_is_refused_unseen(token: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LoginAnswer.model_validate_json(json.dumps({**LOGIN, "access_token": token}))
    assert in_words(caught.value).startswith("access_token: ")
    assert not token or token not in str(caught.value)


def test_an_export_has_every_field_of_the_vendors_document() -> None:
    to = {"verb": "PUT", "endpoint": "https://store.example/x"}
    request = ExportRequest(
        completion_webhook="https://us.example/done",
        completion_webhook_headers=[("key", "value")],
        max_retries=12,
        developer_payload="ours",
        results=[ResultDestination(id="r1", headers=[("a", "b")], **to)],
        pdf_report=Destination(**to),
        crawled_version=Destination(**to),
        ai_detection=Destination(**to),
        writing_feedback=Destination(**to),
        overview=Destination(**to),
    )
    single = {**to, "headers": []}
    assert json.loads(request.to_bytes()) == {
        "completionWebhook": "https://us.example/done",
        "completionWebhookHeaders": [["key", "value"]],
        "maxRetries": 12,
        "developerPayload": "ours",
        "results": [{"id": "r1", **to, "headers": [["a", "b"]]}],
        "pdfReport": single,
        "crawledVersion": single,
        "aiDetection": single,
        "writingFeedback": single,
        "overview": single,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_retries": 0},
        {"max_retries": 13},
        {"developer_payload": "x" * 513},
        {"completion_webhook": ""},
        {
            "results": [ResultDestination(id="r", verb="PUT", endpoint="x")]
            * (RESULTS_PER_EXPORT + 1)
        },
        {"pdf_report": {"verb": "put it", "endpoint": "https://secret.example"}},
    ],
)
def test_an_export_beyond_the_vendors_limits_is_not_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        ExportRequest.model_validate({"completion_webhook": "https://us.example", **wrong})
    assert "secret.example" not in str(caught.value)


@pytest.mark.parametrize("good", ["abc", "a" * 36, "a/b%", """!@$^&-+%=_(){}<>';:/.",~`|""", "AbC"])
def test_an_id_may_have_every_documented_character(good: str) -> None:
    assert ID.validate_python(good) == good


@pytest.mark.parametrize("bad", ["ab", "a" * 37, "a b c", "abc\n", "äöü", "a#bc", "a?bc", "a*bc"])
def test_an_id_outside_the_documents_is_refused(bad: str) -> None:
    with pytest.raises(ValidationError):
        ID.validate_python(bad)


def test_a_completed_webhook_tells_each_result_once_as_text() -> None:
    body = {
        "scannedDocument": {
            "scanId": "s-1",
            "creationTime": "2024-01-01T00:00:00Z",
            "metadata": {"filename": "a.docx", "author": None},
            "enabled": {"aiDetection": True, "pdfReport": False, "writingFeedback": None},
        },
        "results": {
            "internet": [{"id": "a"}, {"id": "b", "new": 1}],
            "database": [{"id": 7}],
            "batch": None,
            "repositories": [{"id": "a"}],
        },
        "notifications": {"alerts": [{"category": 9, "message": "No PDF", "severity": 2}]},
        "somethingNew": {},
    }
    details = ScanDetails.of_webhook(CompletedWebhook.model_validate_json(json.dumps(body)))
    assert details.to_json() == {
        "result_ids": ["a", "b", "7"],
        "enabled": {"pdf_report": False, "ai_detection": True},
        "pdf_alert": "No PDF",
        "created": "2024-01-01T00:00:00Z",
        "filename": "a.docx",
    }


def test_a_completed_webhook_without_lists_has_no_results() -> None:
    body = b'{"scannedDocument": {"scanId": 12345}, "results": null}'
    webhook = CompletedWebhook.model_validate_json(body)
    assert webhook.scanned_document.scan_id == "12345"
    assert ScanDetails.of_webhook(webhook).to_json() == {"result_ids": []}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            (
                b'{"error":{"id":"missing_parameter","code":1,"message":"No.",'
                b'"details":[{"param":"labels","message":"Labels."}]}}'
            ),
            "missing_parameter: No. Labels.",
        ),
        (b'{"error":{"code":"17","message":"Old."}}', "Old."),
        (b'{"title":"Unauthorized","status":401,"traceId":"00-1"}', "Unauthorized"),
        (
            b'{"title":"Wrong.","errors":{"$.pdfReport":["No PDF.","None."],"Results[3].Id":"x"}}',
            "Wrong. $.pdfReport: No PDF. Results[3].Id: x",
        ),
        (b'{"title":"Wrong.","errors":[]}', "Wrong."),
        (b"Value cannot be null.", "Value cannot be null."),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
        (b"[]", "[]"),
    ],
)
def test_an_error_is_read_in_each_of_its_shapes(body: bytes, text: str) -> None:
    assert read_error(body).text == text
