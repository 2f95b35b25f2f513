"""Who is let in, how often, and what is answered otherwise."""

import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline.sandbox.cloudconvert import Account
from export_pipeline.sandbox.cloudconvert.options import SCOPES
from export_pipeline_tests.sandbox.cloudconvert.api import IMPORT, Api, refusal, wait_over
from export_pipeline_tests.sandbox.cloudconvert.conftest import StartApi

READER = Account(2, "reader", ("task.read",))
CALLS = [
    ("POST", "/jobs", "task.write"),
    ("GET", "/jobs", "task.read"),
    ("GET", "/jobs/x", "task.read"),
    ("DELETE", "/jobs/x", "task.write"),
    ("GET", "/tasks", "task.read"),
    ("GET", "/tasks/x", "task.read"),
    ("DELETE", "/tasks/x", "task.write"),
    ("POST", "/tasks/x/cancel", "task.write"),
    ("POST", "/tasks/x/retry", "task.write"),
    ("POST", "/export/url", "task.write"),
    ("POST", "/import/upload", "task.write"),
    ("GET", "/users/me", "user.read"),
    ("GET", "/webhooks", "webhook.read"),
    ("POST", "/webhooks", "webhook.write"),
    ("DELETE", "/webhooks/x", "webhook.write"),
]


@pytest.mark.parametrize("host", ["cloudconvert", "cloudconvert_sync"])
def test_every_call_needs_a_key_with_its_scope(start_api: StartApi, host: str) -> None:
    without = [
        Account(number, scope, tuple(one for one in SCOPES if one != scope))
        for number, scope in enumerate(SCOPES)
    ]
    api = start_api(accounts=(Account(10), *without))
    for method, path, scope in CALLS:
        assert refusal(api.call(method, path, key="x", host=host)) == (401, "UNAUTHENTICATED")
        assert refusal(api.call(method, path, key=scope, host=host)) == (403, "FORBIDDEN")
        assert api.call(method, path, host=host).status_code not in (401, 403)


@pytest.mark.parametrize("given", ["", "Bearer", "Basic {key}", "{key}", "Bearer {key}x"])
def test_a_key_comes_as_a_bearer(api: Api, given: str) -> None:
    url = f"{api.sandbox.addresses['cloudconvert']}/v2/jobs"
    answer = api.post(url, json={}, headers={"Authorization": given.format(key=api.key)})
    assert refusal(answer) == (401, "UNAUTHENTICATED")


def test_a_path_that_is_not_there_is_a_404(api: Api) -> None:
    assert refusal(api.call("GET", "/operations/none")) == (404, "NOT_FOUND")


def test_the_limit_slides_and_is_told(start_api: StartApi, clock: SteppedClock) -> None:
    api = start_api(clock, requests_per_minute=3, accounts=(Account(), READER))
    left = []
    for seconds in (0, 10, 20):
        answer = api.call("GET", "/jobs")
        assert answer.headers["X-RateLimit-Limit"] == "3"
        left.append(answer.headers["X-RateLimit-Remaining"])
        clock.advance(10 if seconds < 20 else 0)
    assert left == ["2", "1", "0"]
    refused = api.call("GET", "/jobs", host="cloudconvert_sync")
    assert refusal(refused) == (429, "TOO_MANY_REQUESTS")
    assert refused.headers["Retry-After"] == "40"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert api.call("GET", "/jobs", key="reader").status_code == 200
    clock.advance(39)
    assert api.call("GET", "/jobs").status_code == 429
    clock.advance(1)
    assert api.call("GET", "/jobs").status_code == 200
    assert api.stats()["limited"] == {"requests_per_minute": 2}


def test_a_429_need_not_say_how_long_to_wait(start_api: StartApi, clock: SteppedClock) -> None:
    api = start_api(clock, requests_per_minute=1, retry_after=False)
    api.call("GET", "/jobs")
    assert "Retry-After" not in api.call("GET", "/jobs").headers


def test_the_paces_differ_in_their_limit(start_api: StartApi) -> None:
    told = [
        start_api(pace=pace).call("GET", "/jobs").headers["X-RateLimit-Limit"]
        for pace in ("documented", "fast")
    ]
    assert told == ["300", "120000"]


def test_too_many_jobs_at_once_are_refused_until_one_ends(start_api: StartApi) -> None:
    api = start_api(jobs_at_once=1)
    job = api.create({"in": {"operation": "import/upload"}}).json()["data"]
    assert refusal(api.create({"in": IMPORT})) == (402, "TOO_MANY_JOBS")
    api.call("POST", f"/tasks/{job['tasks'][0]['id']}/cancel")
    wait_over(api, job["tasks"][0]["id"])
    assert api.job({"in": IMPORT})["status"] == "finished"


def test_both_meanings_of_402_can_be_planned(api: Api) -> None:
    api.plan(create=["credits", "too_many_jobs"])
    spent, busy = api.create({"in": IMPORT}), api.create({"in": IMPORT})
    assert refusal(spent) == (402, "CREDITS_EXCEEDED")
    assert spent.json()["message"] == "Your account has run out of conversion minutes"
    assert (busy.status_code, busy.json()["message"]) == (
        402,
        "You have started too many jobs at once",
    )
    assert api.stats()["created"] == []
    assert api.create({"in": IMPORT}).status_code == 201
