import json

import pytest

from export_pipeline.sandbox import ScanSpec, SteppedClock
from export_pipeline_tests.sandbox.receiving import wait_until


def spec(api, scan="essay-1", **fields):
    return ScanSpec(
        scan,
        status_url=f"{api.receiver.url}/hook/{scan}/{{status}}",
        status_headers=(("X-Secret", "s1"),),
        **fields,
    )


def complete(api, *scans):
    api.add(*scans)
    answer = api.control("POST", "/scans/complete", {"ids": [scan.id for scan in scans]})
    assert answer.status_code == 202
    api.wait_idle()


def test_the_completed_webhook_tells_the_result_ids_and_what_is_enabled(api):
    complete(api, spec(api, results=9, artifacts=("crawledVersion", "aiDetection")))

    (hook,) = api.receiver.at("/hook/essay-1/completed")
    body = json.loads(hook.body)
    assert hook.headers["x-secret"] == "s1"
    assert (body["status"], body["scannedDocument"]["scanId"]) == (0, "essay-1")
    assert body["scannedDocument"]["enabled"]["aiDetection"] is True
    assert body["scannedDocument"]["enabled"]["pdfReport"] is False
    lists = [body["results"][name] for name in ("internet", "database", "batch", "repositories")]
    assert all(lists)
    assert len({item["id"] for items in lists for item in items}) == 9


def test_the_enabled_block_can_be_left_out(api):
    complete(api, spec(api, enabled=False))

    (hook,) = api.receiver.at("/hook/essay-1/completed")
    assert "enabled" not in json.loads(hook.body)["scannedDocument"]


def test_many_scans_complete_and_each_refused_webhook_is_repeated(api):
    refused = set()

    def refuse_once(request):
        if request.path in refused:
            return 200
        refused.add(request.path)
        return 500

    api.receiver.answer = refuse_once
    complete(api, *(spec(api, f"essay-{number}") for number in range(40)))

    assert len(api.receiver.requests) == 80
    assert api.sandbox.stats()["completed_sent"] == 40


@pytest.mark.parametrize(("trait", "count"), [("double_completed", 2), ("no_completed", 0)])
def test_the_completed_webhook_comes_twice_or_never(api, trait, count):
    complete(api, spec(api, traits=(trait,)))

    assert len(api.receiver.at("/hook/essay-1/completed")) == count


def test_resend_sends_the_completed_webhook_again(api):
    complete(api, spec(api, traits=("no_completed",)))

    answer = api.call("POST", "/v3/scans/essay-1/webhooks/resend")

    assert (answer.status_code, answer.json()) == (202, {})
    api.receiver.wait_for("/hook/essay-1/completed")
    assert api.call("POST", "/v3/scans/unknown/webhooks/resend").status_code == 404


def test_completing_an_unknown_scan_is_not_found(api):
    assert api.control("POST", "/scans/complete", {"ids": ["unknown"]}).status_code == 404


def submission(api, **properties):
    status = f"{api.receiver.url}/hook/submitted/{{STATUS}}"
    webhooks = {"status": status, "statusHeaders": [["X-Secret", "s2"]]}
    return {"url": "https://x.example", "properties": {"webhooks": webhooks, **properties}}


def test_a_submitted_scan_completes_after_its_work_with_what_was_asked(start_api):
    clock = SteppedClock()
    api = start_api(clock, pace="documented")
    body = submission(api, pdf={"create": True}, developerPayload="mine")
    path = "/v3/scans/submit/url/submitted"

    assert api.call("PUT", path, json=body).status_code == 201
    assert api.call("PUT", path, json=body).status_code == 409
    assert api.call("POST", "/v3/scans/submitted/webhooks/resend").status_code == 400
    assert api.export("submitted").status_code == 400
    wait_until(lambda: clock.sleepers() == 1, "the work to begin")
    clock.advance(3)

    (hook,) = api.receiver.wait_for("/hook/submitted/completed")
    told = json.loads(hook.body)
    assert (told["developerPayload"], hook.headers["x-secret"]) == ("mine", "s2")
    assert told["scannedDocument"]["enabled"]["pdfReport"] is True
    assert told["scannedDocument"]["enabled"]["aiDetection"] is False


def test_a_wrong_submission_is_refused(api):
    path = "/v3/scans/submit/file/essay-1"
    answer = api.call("PUT", path, json={"properties": {}})
    assert answer.json()["error"]["id"] == "missing_parameter"

    for properties in (
        {"webhooks": {"status": "nowhere"}},
        {"webhooks": {"status": "http://host/", "statusHeaders": {"a": "b"}}},
        {"webhooks": {"status": "http://host/"}, "expiration": 2881},
    ):
        answer = api.call("PUT", path, json={"properties": properties})
        assert answer.json()["error"]["id"] == "invalid_parameter"


def test_deleted_scans_are_gone_and_the_caller_is_told(api):
    api.add(ScanSpec("essay-1"), ScanSpec("essay-2"))
    body = {
        "scans": [{"id": "essay-1"}],
        "completionWebhook": f"{api.receiver.url}/deleted",
        "completionWebhookHeaders": [["X-Secret", "s3"]],
    }

    assert api.call("PATCH", "/v3.1/scans/delete", json=body).status_code == 202

    (told,) = api.receiver.wait_for("/deleted")
    assert (told.headers["x-secret"], told.body) == ("s3", b"")
    assert api.export("essay-1").status_code == 404
    assert api.export("essay-2").status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scans": [], "completionWebhook": "nowhere"},
        {"scans": [], "completionWebhookHeaders": {"a": "b"}},
    ],
)
def test_a_wrong_deletion_is_refused(api, body):
    assert api.call("PATCH", "/v3.1/scans/delete", json=body).status_code == 400
