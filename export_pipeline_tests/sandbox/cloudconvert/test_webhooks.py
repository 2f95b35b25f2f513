"""Webhooks: who hears of what, the signature, and what becomes of those not taken."""

import hmac
import json
from typing import Any

import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline.sandbox.cloudconvert.webhooks import signature
from export_pipeline_tests.sandbox.cloudconvert.api import IMPORT, Api, Json, errors
from export_pipeline_tests.sandbox.cloudconvert.conftest import StartApi
from export_pipeline_tests.sandbox.receiving import Received, Receiver, wait_until

EVENTS = ["job.created", "job.finished", "job.failed"]
BAD = {"operation": "convert", "input": "in", "output_format": "mp4"}
EXPORT = {"operation": "export/url", "input": "in"}


@pytest.fixture
def hook(receiver: Receiver) -> str:
    return f"{receiver.url}/hook"


def told(request: Received) -> Json:
    return dict(json.loads(request.body))


def subscribe(api: Api, url: str, *events: str) -> Json:
    answer = api.call("POST", "/webhooks", {"url": url, "events": list(events or EVENTS)})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


def test_the_signature_is_the_published_one() -> None:
    expected = "5c4c0691bce8a1a2af738b7073fe0627e792734813358c5f88a658819dd0a6d2"
    assert signature(b"cloudconvert", "90sffs0d8fs0f9sf0") == expected


def test_a_jobs_own_url_hears_of_it_signed(api: Api, receiver: Receiver, hook: str) -> None:
    job = api.job({"in": IMPORT, "out": EXPORT}, webhook_url=hook, tag="mine")
    api.wait_idle()
    (finished,) = receiver.at("/hook")
    assert told(finished) == {"event": "job.finished", "job": job}
    assert told(finished)["job"]["tasks"][1]["result"]["files"][0]["url"].startswith("http")
    assert finished.headers["content-type"] == "application/json"
    secret = api.sandbox.addresses["cloudconvert_webhook_secret"]
    expected = hmac.new(secret.encode(), finished.body, "sha256").hexdigest()
    assert finished.headers["cloudconvert-signature"] == expected
    assert set(told(finished)) == {"event", "job"}


def test_a_failed_job_is_told_as_failed(api: Api, receiver: Receiver, hook: str) -> None:
    api.job({"in": IMPORT, "bad": BAD}, webhook_url=hook)
    (request,) = receiver.wait_for("/hook")
    assert (told(request)["event"], told(request)["job"]["status"]) == ("job.failed", "error")


def test_every_event_of_a_job_is_told_in_turn(api: Api, receiver: Receiver, hook: str) -> None:
    subscribe(api, hook)
    api.job({"in": IMPORT})
    created, finished = receiver.wait_for("/hook", 2)
    assert [told(one)["event"] for one in (created, finished)] == EVENTS[:2]
    assert told(created)["job"]["status"] == "processing"


def test_each_webhook_has_a_secret_of_its_own(api: Api, receiver: Receiver) -> None:
    secrets = [
        subscribe(api, f"{receiver.url}/{number}", "job.finished")["signing_secret"]
        for number in range(2)
    ]
    api.job({"in": IMPORT})
    assert secrets[0] == api.sandbox.addresses["cloudconvert_webhook_secret"]
    assert len(set(secrets)) == 2
    for number, secret in enumerate(secrets):
        (request,) = receiver.wait_for(f"/{number}")
        assert request.headers["cloudconvert-signature"] == signature(request.body, secret)


def test_a_webhook_tells_what_a_task_was_told_where_the_option_says_so(
    start_api: StartApi, receiver: Receiver, hook: str
) -> None:
    for payloads, is_told in (("asked", False), ("always", True)):
        api = start_api(payloads=payloads)
        api.job({"in": IMPORT}, webhook_url=hook)
        api.wait_idle()
        assert ("payload" in told(receiver.requests[-1])["job"]["tasks"][0]) is is_told


def test_an_accounts_webhook_hears_the_events_that_it_wants(
    api: Api, receiver: Receiver, hook: str
) -> None:
    webhook = subscribe(api, hook, "job.failed")
    assert webhook["signing_secret"] == api.sandbox.addresses["cloudconvert_webhook_secret"]
    api.job({"in": IMPORT})
    failed = api.job({"in": IMPORT, "bad": BAD})
    api.wait_idle()
    assert [told(one)["job"]["id"] for one in receiver.at("/hook")] == [failed["id"]]
    for path in ("/webhooks", "/users/me/webhooks"):
        assert api.call("GET", path).json()["data"] == [webhook]
    assert api.call("DELETE", f"/webhooks/{webhook['id']}").status_code == 204
    assert api.call("DELETE", f"/webhooks/{webhook['id']}").status_code == 404
    api.job({"in": IMPORT, "bad": BAD})
    api.wait_idle()
    assert len(receiver.at("/hook")) == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"url", "events"}),
        ({"url": "x", "events": ["task.finished"]}, {"events"}),
        ({"url": "x", "events": [{}]}, {"events"}),
        ({"url": 7, "events": EVENTS}, {"url"}),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(api: Api, body: Json, fields: set[str]) -> None:
    assert set(errors(api.call("POST", "/webhooks", body))) == fields


def test_a_jobs_own_url_is_not_signed_where_the_option_says_so(
    start_api: StartApi, receiver: Receiver, hook: str
) -> None:
    api = start_api(job_webhooks_signed=False, told_job="null")
    subscribe(api, f"{receiver.url}/account", "job.finished")
    api.job({"in": IMPORT}, webhook_url=hook)
    (own,), (account,) = receiver.wait_for("/hook"), receiver.wait_for("/account")
    assert "cloudconvert-signature" not in own.headers
    assert "cloudconvert-signature" in account.headers
    assert told(own)["job"]["status"] is None


@pytest.mark.parametrize(("status", "calls"), [(200, 1), (204, 1), (302, 1), (400, 1), (500, 4)])
def test_only_a_server_error_is_tried_again_three_times(
    api: Api, receiver: Receiver, hook: str, status: int, calls: int
) -> None:
    receiver.answer = lambda _: status
    subscribe(api, hook, "job.finished")
    api.job({"in": IMPORT})
    stats = api.wait_idle()
    assert len(receiver.at("/hook")) == calls
    assert (stats["webhooks_retried"], stats["webhooks_given_up"]) == (calls - 1, calls // 4)
    assert stats["webhooks_disabled"] == 0


def test_no_answer_is_tried_again_too(api: Api) -> None:
    api.job({"in": IMPORT}, webhook_url="http://127.0.0.1:1/")
    stats = api.wait_idle()
    assert (stats["webhooks_retried"], stats["webhooks_given_up"]) == (3, 1)


def test_a_webhook_taken_at_last_is_the_same(api: Api, receiver: Receiver, hook: str) -> None:
    receiver.answer = lambda _: 503 if len(receiver.requests) < 2 else 200
    subscribe(api, hook, "job.finished")
    api.job({"in": IMPORT})
    api.wait_idle()
    first, second, third = receiver.at("/hook")
    assert first.body == second.body == third.body


@pytest.mark.parametrize(
    ("disabling", "status", "is_disabled"),
    [("410", 410, True), ("410", 401, False), ("4xx", 401, True), ("4xx", 500, False)],
)
def test_some_answers_disable_a_webhook(
    start_api: StartApi,
    receiver: Receiver,
    hook: str,
    disabling: str,
    status: int,
    is_disabled: bool,
) -> None:
    api = start_api(disabling=disabling)
    subscribe(api, hook, "job.finished")
    receiver.answer = lambda _: status
    api.job({"in": IMPORT})
    api.wait_idle()
    receiver.answer = lambda _: 200
    before = len(receiver.at("/hook"))
    api.job({"in": IMPORT})
    api.wait_idle()
    assert (len(receiver.at("/hook")) == before) is is_disabled
    assert api.call("GET", "/webhooks").json()["data"][0]["disabled"] is is_disabled


def test_a_disabled_url_of_a_job_is_of_that_job_alone(
    api: Api, receiver: Receiver, hook: str
) -> None:
    receiver.answer = lambda _: 410
    for _ in range(2):
        api.job({"in": IMPORT}, webhook_url=hook)
        api.wait_idle()
    assert api.stats()["webhooks_disabled"] == 2
    assert api.call("GET", "/webhooks").json()["data"] == []


def test_an_end_can_be_lost_repeated_and_wrongly_signed(
    api: Api, receiver: Receiver, hook: str
) -> None:
    subscribe(api, hook, "job.finished")
    api.plan(webhook=["lost", "twice", "wrong_signature"])
    jobs = []
    for _ in range(3):
        jobs.append(api.job({"in": IMPORT})["id"])
        api.wait_idle()
    requests = receiver.at("/hook")
    assert [told(one)["job"]["id"] for one in requests] == [jobs[1], jobs[1], jobs[2]]
    secret = api.sandbox.addresses["cloudconvert_webhook_secret"]
    right = [
        one.headers["cloudconvert-signature"] == signature(one.body, secret) for one in requests
    ]
    assert right == [True, True, False]


def test_an_end_can_be_late(start_api: StartApi, receiver: Receiver, hook: str) -> None:
    clock = SteppedClock()
    api = start_api(clock)
    subscribe(api, hook, "job.finished")
    api.plan(webhook=["late"])
    job = api.create({"in": IMPORT}).json()["data"]["id"]

    def status() -> Any:
        return api.call("GET", f"/jobs/{job}").json()["data"]["status"]

    wait_until(lambda: clock.sleepers() == 1, "the task at work")
    clock.advance(1)
    wait_until(lambda: status() == "finished" and clock.sleepers() == 1, "the end of the job")
    assert receiver.at("/hook") == []
    clock.advance(600)
    (request,) = receiver.wait_for("/hook")
    assert told(request)["event"] == "job.finished"


def test_a_deleted_job_is_told_no_more(api: Api, receiver: Receiver, hook: str) -> None:
    subscribe(api, hook, "job.failed")
    job = api.create({"in": {"operation": "import/upload"}}).json()["data"]["id"]
    assert api.call("DELETE", f"/jobs/{job}").status_code == 204
    api.wait_idle()
    assert receiver.at("/hook") == []
