import httpx
import pytest

from export_pipeline.sandbox import Account, ScanSpec, SteppedClock

HOSTILE = 'a/../b%2f;:"<x>'
SINGLES = ["crawledVersion", "pdfReport", "aiDetection", "writingFeedback", "overview"]


@pytest.fixture
def api(start_api):
    api = start_api()
    api.add(ScanSpec("essay-1", results=2))
    return api


def problems(answer):
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    return error["id"], [detail["param"] for detail in error["details"]]


def test_an_accepted_export_is_204_and_empty_or_200_and_an_object(api):
    answer = api.export("essay-1", "export-1")
    assert (answer.status_code, answer.content) == (204, b"")

    api.control("POST", "/options", {"success": "object"})
    answer = api.export("essay-1", "export-2")
    assert (answer.status_code, answer.json()) == (200, {})


def test_every_response_carries_an_id_of_its_own(api):
    answers = [
        api.export("essay-1"),
        api.export("unknown"),
        api.call("GET", "/v3/nothing"),
        api.control("GET", "/stats"),
    ]

    assert [answer.status_code for answer in answers] == [204, 404, 404, 200]
    assert len({answer.headers["X-Request-Id"] for answer in answers[:3]}) == 3


def test_hostile_ids_are_one_segment_each(api):
    api.add(ScanSpec(HOSTILE, results=0))

    assert api.export(HOSTILE, "e/../%41;x").status_code == 204

    (order,) = api.wait_idle()["orders"]
    assert (order["scan"], order["export"]) == (HOSTILE, "e/../%41;x")


@pytest.mark.parametrize("bad", ["ab", "x" * 37, "with space", "köln", "a*b", "line\nbreak"])
def test_an_id_outside_the_rules_is_refused(api, bad):
    assert problems(api.export(bad)) == ("invalid_parameter", ["scanId"])
    assert problems(api.export("essay-1", bad)) == ("invalid_parameter", ["exportId"])


def test_an_empty_order_names_the_missing_webhook(api):
    assert problems(api.export("essay-1", body={})) == (
        "missing_parameter",
        ["completionWebhook"],
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("completionWebhook", "not a url"),
        ("completionWebhook", "ftp://host/x"),
        ("completionWebhook", 7),
        ("completionWebhookHeaders", {"name": "value"}),
        ("completionWebhookHeaders", [["name"]]),
        ("completionWebhookHeaders", [["name", "a\r\nb: c"]]),
        ("maxRetries", 0),
        ("maxRetries", 13),
        ("maxRetries", "3"),
        ("maxRetries", True),
        ("developerPayload", "x" * 513),
        ("results", {}),
        ("results", [{"id": "x", "verb": "PUT", "endpoint": "http://h/"}] * 1001),
        ("overview", "http://host/x"),
    ],
)
def test_a_wrong_field_is_named(api, field, value):
    assert problems(api.export("essay-1", **{field: value}))[1][0] == field


@pytest.mark.parametrize(
    ("target", "param"),
    [
        ({"endpoint": "http://host/"}, "pdfReport.verb"),
        ({"verb": "FETCH", "endpoint": "http://host/"}, "pdfReport.verb"),
        ({"verb": "PUT"}, "pdfReport.endpoint"),
        ({"verb": "PUT", "endpoint": "/relative"}, "pdfReport.endpoint"),
        ({"verb": "PUT", "endpoint": "http://host/", "headers": {"a": "b"}}, "pdfReport.headers"),
        ({"verb": "PUT", "endpoint": "http://host/", "id": "x"}, "pdfReport.id"),
    ],
)
def test_a_wrong_target_is_named(api, target, param):
    assert problems(api.export("essay-1", pdfReport=target))[1] == [param]


def test_a_result_needs_its_id_and_an_unknown_field_is_refused(api):
    result = {"verb": "PUT", "endpoint": "http://host/"}

    assert problems(api.export("essay-1", results=[result])) == (
        "missing_parameter",
        ["results[0].id"],
    )
    assert problems(api.export("essay-1", pdf={}))[1] == ["body.pdf"]


def test_a_body_that_is_no_json_is_refused_as_text_and_another_type_as_a_problem(api):
    path = "/v3/downloads/essay-1/export/export-1"
    answer = api.call(
        "POST", path, content=b"{", headers={"Content-Type": "application/json; charset=utf-8"}
    )
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/plain")

    answer = api.call("POST", path, content=b"{}", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["status"]) == (415, 415)


def test_an_unknown_a_deleted_and_an_expired_scan_are_not_found(start_api):
    clock = SteppedClock()
    api = start_api(clock)
    api.add(ScanSpec("short-lived", expiration_hours=1), ScanSpec("deleted"))
    assert api.export("short-lived").status_code == 204
    assert api.control("DELETE", "/scans/deleted").status_code == 204
    clock.advance(3600)

    for scan in ("short-lived", "deleted", "unknown"):
        answer = api.export(scan, "export-2")
        assert (answer.status_code, answer.json()["error"]["id"]) == (404, "not_found")


def test_a_scan_of_another_account_is_not_found(start_api):
    accounts = (Account(), Account("other@example.com", "other-key"))
    api = start_api(accounts=accounts)
    api.add(ScanSpec("essay-1", account="other@example.com"))

    assert api.export("essay-1").status_code == 404


def test_an_artifact_that_the_scan_does_not_have_is_refused_or_unhealthy(api):
    api.add(ScanSpec("no-pdf", artifacts=("crawledVersion",), results=0))
    stranger = {"id": "0123456789", **api.target("stranger")}
    order = api.order("crawledVersion", "pdfReport") | {"results": [stranger]}

    assert problems(api.export("no-pdf", body=order)) == (
        "invalid_parameter",
        ["results/0123456789", "pdfReport"],
    )

    api.control("POST", "/options", {"absent": "unhealthy"})
    assert api.export("no-pdf", body=order).status_code == 204
    (done,) = api.receiver.wait_for("/done")
    assert done.body.count(b'"isHealthy": false, "httpStatusCode": null') == 2
    assert done.body.count(b'"isHealthy": true, "httpStatusCode": 200') == 1


@pytest.mark.parametrize(
    ("reuse", "status", "uploads"),
    [("conflict", 409, 1), ("accept", 204, 1), ("redeliver", 204, 2)],
)
def test_a_used_export_id_is_a_conflict_or_accepted_or_delivered_again(
    start_api, reuse, status, uploads
):
    api = start_api(reuse=reuse)
    api.add(ScanSpec("essay-1"))
    statuses = [api.export("essay-1", body=api.order("overview")).status_code for _ in range(2)]
    stats = api.wait_idle()

    assert statuses == [204, status]
    assert stats["uploads_sent"] == uploads
    assert [order["repeat"] for order in stats["orders"]] == [False, True][
        : stats["exports_accepted"]
    ]


def test_planned_faults_are_answered_one_by_one(api):
    api.control("POST", "/faults", {"exports": ["503", "429", "500", "garbage"]})

    answers = [api.export("essay-1") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [503, 429, 500, 502, 204]
    assert api.sandbox.stats()["limited"] == {}
    assert len(api.sandbox.stats()["orders"]) == 1


def test_a_dropped_connection_leaves_the_order_accepted(api):
    api.control("POST", "/faults", {"exports": ["drop"]})

    with pytest.raises(httpx.RemoteProtocolError):
        api.export("essay-1")
    assert api.export("essay-1").status_code == 409
    assert api.sandbox.stats()["exports_accepted"] == 1


def test_the_control_endpoints_say_what_is_wrong(api):
    for path, body in [
        ("/options", {"pace": "warp"}),
        ("/faults", {"exports": ["418"]}),
        ("/scans", [{"id": "abc", "traits": ["odd"]}]),
        ("/scans", [{"id": "abc", "colour": "red"}]),
    ]:
        answer = api.control("POST", path, body)
        assert answer.status_code == 400
        assert answer.text
