import json
import threading

import httpx
import pytest

from export_pipeline.sandbox import ScanSpec
from export_pipeline.sandbox.copyleaks.artifacts import artifact_bytes
from export_pipeline.sandbox.copyleaks.orders import SINGLE_ARTIFACTS
from export_pipeline_tests.sandbox.receiving import PATIENCE_SECONDS


def run_export(api, spec, *artifacts, export="export-1", add=True, **changes):
    """The export-completed bodies of one finished export, and the stats after it."""
    if add:
        api.add(spec)
    before = len(api.receiver.at("/done"))
    answer = api.export(spec.id, export, body=api.order(*artifacts) | changes)
    assert answer.status_code == 204, answer.text
    stats = api.wait_idle()
    return [json.loads(r.body) for r in api.receiver.at("/done")[before:]], stats


def health(bodies):
    return [[(t["isHealthy"], t["httpStatusCode"]) for t in body["tasks"]] for body in bodies]


def test_all_six_kinds_are_delivered_as_raw_bodies_with_their_types(api):
    api.add(ScanSpec("essay-1", results=2))
    api.control("POST", "/scans/complete", {"ids": ["essay-1"]})
    api.wait_idle()
    result = "results/" + result_ids(api, "essay-1")[0]
    target = {"id": result.removeprefix("results/"), **api.target(result)}

    _, stats = run_export(
        api, ScanSpec("essay-1", results=2), *SINGLE_ARTIFACTS, add=False, results=[target]
    )

    for artifact in (result, *SINGLE_ARTIFACTS):
        (upload,) = api.receiver.at(f"/{artifact}")
        kind = "application/pdf" if artifact == "pdfReport" else "application/json"
        assert upload.method == "PUT"
        assert upload.headers["content-type"] == kind
        assert upload.body == artifact_bytes("essay-1", artifact)
    assert stats["uploads_sent"] == 6
    assert stats["orders"][0]["artifacts"] == [result, *SINGLE_ARTIFACTS]


def result_ids(api, scan):
    """The ids as a receiver of the completed webhook learns them."""
    api.add(ScanSpec(scan, results=2, status_url=f"{api.receiver.url}/hook/{{STATUS}}"))
    api.control("POST", "/scans/complete", {"ids": [scan]})
    (hook,) = api.receiver.wait_for("/hook/completed")
    results = json.loads(hook.body)["results"]
    return [item["id"] for name in ("internet", "database") for item in results[name]]


def test_the_summary_echoes_endpoints_and_payload_and_names_neither_scan_nor_export(api):
    signed = f"{api.receiver.url}/up?X-Sig=a%2Fb%20c%3D&z=%7e"
    target = {"verb": "post", "endpoint": signed, "headers": [["X-Blob", "1"], ["X-Blob", "2"]]}
    api.add(ScanSpec("essay-1"))
    api.export(
        "essay-1",
        overview=target,
        developerPayload="mine",
        completionWebhookHeaders=[["X-Secret", "s3"]],
    )
    (done,) = api.receiver.wait_for("/done")

    assert json.loads(done.body) == {
        "completed": True,
        "developerPayload": "mine",
        "tasks": [{"endpoint": signed, "isHealthy": True, "httpStatusCode": 200}],
    }
    assert (done.method, done.headers["x-secret"]) == ("POST", "s3")
    (upload,) = [r for r in api.receiver.requests if r.path.startswith("/up")]
    assert (upload.method, upload.path) == ("POST", signed.removeprefix(api.receiver.url))
    assert upload.headers["x-blob"]


def test_an_upload_is_tried_as_often_as_ordered_and_then_unhealthy(api):
    api.receiver.answer = lambda r: 503 if r.path == "/overview" else 200

    bodies, stats = run_export(api, ScanSpec("essay-1"), "overview", maxRetries=4)

    assert len(api.receiver.at("/overview")) == 4
    assert health(bodies) == [[(False, None)]]
    assert (stats["uploads_refused"], stats["uploads_retried"]) == (4, 3)


def test_an_endpoint_that_cannot_be_reached_is_unhealthy(api):
    target = {"verb": "PUT", "endpoint": "http://127.0.0.1:1/x"}

    bodies, _ = run_export(api, ScanSpec("essay-1"), overview=target)

    assert health(bodies) == [[(False, None)]]


def test_a_redirect_is_no_success(api):
    api.receiver.answer = lambda r: 302 if r.path == "/overview" else 201

    bodies, _ = run_export(api, ScanSpec("essay-1"), "overview", "crawledVersion", maxRetries=1)

    assert health(bodies) == [[(True, 201), (False, None)]]


def test_the_summary_is_repeated_until_it_is_taken(api):
    answers = iter([500, 404, 200])
    api.receiver.answer = lambda r: next(answers) if r.path == "/done" else 200

    bodies, stats = run_export(api, ScanSpec("essay-1"), "overview")

    assert len(bodies) == 3
    assert stats["completions_sent"] == 1


def test_unhealthy_first_fails_one_artifact_in_the_first_order_only(api):
    spec = ScanSpec("essay-1", traits=("unhealthy_first:overview",))

    first, _ = run_export(api, spec, "crawledVersion", "overview")
    assert api.receiver.at("/overview") == []
    second, _ = run_export(api, spec, "overview", export="export-2", add=False)

    assert health(first) == [[(True, 200), (False, None)]]
    assert health(second) == [[(True, 200)]]


def test_never_delivers_fails_in_every_order(api):
    spec = ScanSpec("essay-1", traits=("never_delivers:pdfReport",))
    run_export(api, spec, "pdfReport")

    second, _ = run_export(api, spec, "pdfReport", export="export-2", add=False)

    assert health(second) == [[(False, None)]]
    assert api.receiver.at("/pdfReport") == []


@pytest.mark.parametrize("repeat", [200, 412])
def test_lost_answers_are_unhealthy_whatever_the_repeats_are_answered(api, repeat):
    def create_only(request):
        return repeat if api.receiver.at(request.path) else 200

    api.receiver.answer = create_only
    spec = ScanSpec("essay-1", traits=("lost_answer:overview",))
    bodies, _ = run_export(api, spec, "crawledVersion", "overview", maxRetries=3)

    assert health(bodies) == [[(True, 200), (False, None)]]
    uploads = api.receiver.at("/overview")
    assert len(uploads) == 3
    assert len({upload.body for upload in uploads}) == 1


def test_corrupt_first_truncates_the_first_delivery_only(api):
    spec = ScanSpec("essay-1", traits=("corrupt_first:pdfReport",))
    first, _ = run_export(api, spec, "pdfReport")
    run_export(api, spec, "pdfReport", export="export-2", add=False)

    whole = artifact_bytes("essay-1", "pdfReport")
    sent = [upload.body for upload in api.receiver.at("/pdfReport")]
    assert sent == [whole[: len(whole) // 2], whole]
    assert health(first) == [[(True, 200)]]


def test_no_completion_delivers_and_says_nothing(api):
    bodies, stats = run_export(api, ScanSpec("essay-1", traits=("no_completion",)), "overview")

    assert len(api.receiver.at("/overview")) == 1
    assert (bodies, stats["completions_sent"]) == ([], 0)


def test_double_completion_sends_the_same_summary_twice(api):
    bodies, stats = run_export(api, ScanSpec("essay-1", traits=("double_completion",)), "overview")

    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert stats["completions_sent"] == 2


def test_sizes_are_those_of_the_spec(api):
    spec = ScanSpec("essay-1", sizes={"overview": 12_345, "pdfReport": 123_456})

    _, stats = run_export(api, spec, "overview", "pdfReport")

    assert len(api.receiver.at("/overview")[0].body) == 12_345
    assert len(api.receiver.at("/pdfReport")[0].body) == 123_456
    assert stats["upload_bytes"] == 12_345 + 123_456


def test_stopping_ends_deliveries_under_way(api):
    is_asked, may_answer = threading.Event(), threading.Event()

    def hang(_):
        is_asked.set()
        may_answer.wait()
        return 200

    api.receiver.answer = hang
    api.add(ScanSpec("essay-1"))
    api.export("essay-1", body=api.order("overview"))
    assert is_asked.wait(PATIENCE_SECONDS)

    api.sandbox.stop()
    may_answer.set()

    with pytest.raises(httpx.ConnectError):
        httpx.get(api.sandbox.url)
