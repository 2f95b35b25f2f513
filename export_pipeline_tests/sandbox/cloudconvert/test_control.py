"""What a test may do to the sandbox's CloudConvert."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline.sandbox.cloudconvert import Account, CloudConvertOptions
from export_pipeline_tests.sandbox.cloudconvert.api import IMPORT, Api, wait_over
from export_pipeline_tests.sandbox.cloudconvert.conftest import StartApi
from export_pipeline_tests.sandbox.laserfiche.stepping import stepped
from export_pipeline_tests.sandbox.receiving import wait_until

FAULTS = {
    "401": 401,
    "403": 403,
    "404": 404,
    "429": 429,
    "500": 500,
    "503": 503,
    "504": 504,
    "garbage": 502,
}


def test_the_ready_jobs_are_of_one_file_of_several_and_of_one_name(api: Api) -> None:
    ready = api.sandbox.addresses["examples"]["cloudconvert"]
    jobs = [api.call("GET", f"/jobs/{one}").json()["data"] for one in ready["jobs"]]
    assert [one["status"] for one in jobs] == ["finished"] * 3
    assert [one["tasks"][0]["id"] for one in jobs] == ready["tasks"]
    files = [one["tasks"][0]["result"]["files"] for one in jobs]
    assert [[one["filename"] for one in some] for some in files] == [
        ["letter.txt"],
        ["page-1.txt", "page-2.txt"],
        ["summary.txt", "summary.txt"],
    ]
    assert [one["dir"] for one in files[2]] == ["2025", "2026"]
    links = [one["url"] for one in jobs[2]["tasks"][1]["result"]["files"]]
    assert len({api.file(one).content for one in links}) == 2


def calls(api: Api) -> dict[str, Callable[[], httpx.Response]]:
    """A call of each operation that goes well."""
    made = api.made({"filename": "a.txt"})
    other, under_way = api.made(), api.call("POST", "/import/upload").json()["data"]["id"]
    return {
        "create": lambda: api.create({"in": IMPORT}),
        "get": lambda: api.call("GET", f"/jobs/{made['id']}"),
        "list": lambda: api.call("GET", "/tasks"),
        "wait": lambda: api.call("GET", f"/jobs/{made['id']}", host="cloudconvert_sync"),
        "retry": lambda: api.call("POST", f"/tasks/{made['tasks'][0]}/retry"),
        "cancel": lambda: api.call("POST", f"/tasks/{under_way}/cancel"),
        "delete": lambda: api.call("DELETE", f"/jobs/{other['id']}"),
        "user": lambda: api.call("GET", "/users/me"),
    }


@pytest.mark.parametrize("operation", ["create", "get", "list", "wait", "delete", "user"])
def test_planned_faults_meet_one_call_each_of_their_operation(api: Api, operation: str) -> None:
    working = calls(api)
    api.plan(**{operation: list(FAULTS)})
    assert [working[operation]().status_code for _ in FAULTS] == list(FAULTS.values())
    assert all(call().status_code < 400 for call in working.values())


def test_a_lost_answer_is_of_a_call_that_did_its_work(api: Api) -> None:
    api.plan(create=["drop"])
    with pytest.raises(httpx.RemoteProtocolError):
        api.create({"in": IMPORT}, tag="lost")
    (created,) = api.stats()["created"]
    found = api.call("GET", "/jobs", **{"filter[tag]": "lost"}).json()["data"]
    assert [one["id"] for one in found] == [created["id"]]


def test_an_answer_can_be_slow(start_api: StartApi, clock: SteppedClock) -> None:
    api = start_api(clock)
    api.plan(list=["slow"])
    assert stepped(clock, 120, lambda: api.call("GET", "/jobs")).status_code == 200


@pytest.mark.parametrize("operation", ["import", "convert", "export"])
def test_tasks_can_fail_and_never_end(api: Api, operation: str) -> None:
    api.plan(**{operation: ["fails", "never_ends"]})
    convert = {"operation": "convert", "input": "import", "output_format": "pdf"}
    export = {"operation": "export/url", "input": "convert"}
    tasks = {"import": IMPORT, "convert": convert, "export": export}
    failed = api.tasks(tasks)[operation]
    assert (failed["status"], bool(failed["message"])) == ("error", True)
    stuck = {one["name"]: one for one in api.create(tasks).json()["data"]["tasks"]}[operation]

    def status() -> Any:
        return api.call("GET", f"/tasks/{stuck['id']}").json()["data"]["status"]

    wait_until(lambda: status() == "processing", "the task that never ends")
    api.call("POST", f"/tasks/{stuck['id']}/cancel")
    assert wait_over(api, stuck["id"])["code"] == "CANCELLED"


def test_a_tasks_time_can_be_ended(api: Api) -> None:
    made = api.made({"filename": "a.txt"}, exported=True)
    link = api.call("GET", f"/tasks/{made['tasks'][1]}").json()["data"]["result"]["files"][0]["url"]
    path = f"/tasks/{made['tasks'][1]}/expire"
    assert api.control("POST", path).status_code == 204
    assert api.control("POST", path).status_code == 404
    assert api.call("GET", f"/tasks/{made['tasks'][1]}").status_code == 404
    assert api.file(link).status_code == 404


def test_jobs_can_be_made_large_and_failed(api: Api) -> None:
    made = api.made({"filename": "a.txt", "size": 100_000}, error="The source is gone")
    (task,) = api.call("GET", f"/jobs/{made['id']}").json()["data"]["tasks"]
    assert (task["status"], task["message"]) == ("error", "The source is gone")
    (link,) = api.links({"filename": "a.txt", "size": 100_000})
    assert len(api.file(link).content) == 100_000


def test_options_can_be_changed_while_it_runs(api: Api) -> None:
    assert api.control("POST", "/options", {"invalid": 400}).status_code == 204
    assert api.create({}).status_code == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/jobs", [{"colour": "red"}]),
        ("/jobs", [{"files": [{"colour": "red"}]}]),
        ("/jobs", [{"files": [{}]}]),
        ("/jobs", 7),
        ("/options", {"pace": "slow"}),
        ("/options", {"requests_per_minute": -1}),
        ("/options", {"requests_per_minute": True}),
        ("/options", {"google_url": 7}),
        ("/options", {"accounts": []}),
        ("/faults", {"create": ["lightning"]}),
        ("/faults", {"nothing": ["429"]}),
        ("/faults", []),
    ],
)
def test_a_wrong_wish_is_a_400_with_the_reason(api: Api, path: str, body: object) -> None:
    answer = api.control("POST", path, body)
    assert answer.status_code == 400
    assert answer.text


def test_what_was_done_is_told(api: Api) -> None:
    job = api.job({"in": IMPORT}, tag="mine")
    api.wait_idle()
    found = api.control("GET", "/stats").json()
    assert found == api.stats()
    assert found["calls"] == {"create": 1, "wait": 1}
    assert found["created"] == [{"id": job["id"], "tag": "mine"}]


def test_secrets_are_not_in_the_options_text(api: Api) -> None:
    account = Account()
    shown = repr(CloudConvertOptions())
    assert account.key not in shown
    assert account.webhook_secret not in shown


def test_it_announces_where_it_is_and_what_it_takes(api: Api) -> None:
    told = api.sandbox.addresses
    assert {one for one in told if one.startswith("cloudconvert")} == {
        *("cloudconvert", "cloudconvert_sync", "cloudconvert_key"),
        *("cloudconvert_webhook_secret", "cloudconvert_control"),
    }
    assert told["cloudconvert"] != told["cloudconvert_sync"]
