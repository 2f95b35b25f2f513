"""Jobs: how they are created, how they stand, how they are found, and when they go."""

import re
import threading
from typing import Any

import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline.sandbox.cloudconvert import Account
from export_pipeline_tests.sandbox.cloudconvert.api import IMPORT, Api, Json, errors, refusal
from export_pipeline_tests.sandbox.cloudconvert.conftest import StartApi
from export_pipeline_tests.sandbox.receiving import wait_until

EXPORT = {"operation": "export/url", "input": "in"}
HOLD = {"operation": "import/upload"}
DAY = 24 * 3600


def test_a_job_runs_its_tasks_one_after_another(api: Api) -> None:
    convert = {"operation": "convert", "input": "in", "output_format": "pdf"}
    export = {"operation": "export/url", "input": ["out"]}
    job = api.job({"in": IMPORT, "out": convert, "export": export}, tag="scan 1")
    assert (job["tag"], job["status"]) == ("scan 1", "finished")
    assert [one["name"] for one in job["tasks"]] == ["in", "out", "export"]
    assert {one["status"] for one in job["tasks"]} == {"finished"}
    first, second, last = job["tasks"]
    assert second["depends_on_task_ids"] == [first["id"]]
    assert [one["filename"] for one in last["result"]["files"]] == ["letter.pdf"]
    assert {one["job_id"] for one in job["tasks"]} == {job["id"]}


def test_a_created_job_is_told_whole(api: Api) -> None:
    answer = api.create({"in": HOLD, "out": EXPORT})
    job = answer.json()["data"]
    assert answer.status_code == 201
    assert set(job) == {
        *("id", "tag", "status", "created_at", "started_at", "ended_at", "tasks", "links")
    }
    assert (job["status"], job["ended_at"], job["tag"]) == ("processing", None, None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", job["created_at"])
    assert job["links"]["self"].endswith(f"/v2/jobs/{job['id']}")
    waiting, export = job["tasks"]
    assert (waiting["status"], export["status"]) == ("waiting", "waiting")
    assert set(waiting["result"]["form"]) == {"url", "parameters"}
    assert export["result"] is None


@pytest.mark.parametrize("new_job", ["processing", "waiting", "null"])
@pytest.mark.parametrize("new_task", ["waiting", "queued"])
def test_what_is_not_over_is_called_as_the_options_say(
    start_api: StartApi, new_job: str, new_task: str
) -> None:
    api = start_api(new_job=new_job, new_task=new_task)
    job = api.create({"in": HOLD, "out": EXPORT}).json()["data"]
    found = api.call("GET", f"/jobs/{job['id']}").json()["data"]
    assert found["status"] == (None if new_job == "null" else new_job)
    assert [one["status"] for one in found["tasks"]] == ["waiting", new_task]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "tasks"),
        ({"tasks": {}}, "tasks"),
        ({"tasks": []}, "tasks"),
        ({"tasks": {"in": IMPORT}, "tag": 7}, "tag"),
        ({"tasks": {"in": IMPORT}, "webhook_url": []}, "webhook_url"),
        ({"tasks": {"in": IMPORT}, "webhook": "https://example.com"}, "webhook"),
        ({"tasks": {"in": 7}}, "tasks.in.operation"),
        ({"tasks": {"my task": IMPORT}}, "tasks.my task"),
        ({"tasks": {"": IMPORT}}, "tasks."),
        ({"tasks": {"in": {}}}, "tasks.in.operation"),
        ({"tasks": {"in": {"operation": "export/ftp"}}}, "tasks.in.operation"),
        ({"tasks": {"in": IMPORT, "out": {**EXPORT, "input": "other"}}}, "tasks.out.input"),
        ({"tasks": {"in": IMPORT, "out": {**EXPORT, "input": []}}}, "tasks.out.input"),
        ({"tasks": {"in": IMPORT, "out": {**EXPORT, "input": "out"}}}, "tasks.out.input"),
        ({"tasks": {"in": {**IMPORT, "filename": ""}}}, "tasks.in.filename"),
        ({"tasks": {"in": {**IMPORT, "ignore_error": "yes"}}}, "tasks.in.ignore_error"),
    ],
)
def test_a_job_that_cannot_be_is_refused_with_the_field(api: Api, body: Json, field: str) -> None:
    assert set(errors(api.call("POST", "/jobs", body))) == {field}
    assert api.stats()["created"] == []


def test_tasks_that_wait_for_each_other_are_refused(api: Api) -> None:
    one = {"operation": "convert", "input": "two", "output_format": "pdf"}
    refused = api.create({"one": one, "two": {**one, "input": ["in", "one"]}, "in": IMPORT})
    assert set(errors(refused)) == {"tasks.one.input", "tasks.two.input"}


def test_a_refusal_is_a_400_where_the_option_says_so(start_api: StartApi) -> None:
    assert refusal(start_api(invalid=400).create({})) == (400, "INVALID_DATA")


@pytest.mark.parametrize("raw", [b"{", b"[]", b"7"])
def test_a_body_that_is_no_object_is_refused(api: Api, raw: bytes) -> None:
    url = f"{api.sandbox.addresses['cloudconvert']}/v2/jobs"
    answer = api.post(url, content=raw, headers={"Authorization": f"Bearer {api.key}"})
    assert set(errors(answer)) == {"body"}


def test_a_task_that_fails_fails_those_that_need_it_and_the_job(api: Api) -> None:
    bad = {"operation": "convert", "input": "in", "output_format": "mp4"}
    job = api.job({"in": IMPORT, "bad": bad, "out": {**EXPORT, "input": "bad"}})
    _, failed, dependant = job["tasks"]
    assert job["status"] == "error"
    assert (failed["status"], failed["code"]) == ("error", "CONVERSION_FAILED")
    assert failed["message"] == "Conversion to mp4 is not supported"
    told = (dependant["status"], dependant["code"], dependant["message"], dependant["started_at"])
    assert told == ("error", "INPUT_TASK_FAILED", "Input task has failed", None)
    assert dependant["result"] is None


def test_an_error_that_is_ignored_leaves_the_rest(api: Api) -> None:
    bad = {"operation": "convert", "input": "in", "output_format": "mp4", "ignore_error": True}
    export = {**EXPORT, "input": ["in", "bad"]}
    only = {**EXPORT, "input": ["bad"], "ignore_error": True}
    job = api.job({"in": IMPORT, "bad": bad, "out": export, "only": only})
    assert job["status"] == "finished"
    _, failed, done, starved = job["tasks"]
    assert (failed["status"], done["status"]) == ("error", "finished")
    assert [one["filename"] for one in done["result"]["files"]] == ["letter.txt"]
    assert starved["code"] == "INPUT_TASK_FAILED"


def test_jobs_are_listed_without_their_tasks_the_newest_first(api: Api) -> None:
    ready = api.sandbox.addresses["examples"]["cloudconvert"]["jobs"]
    made = [api.made(tag=f"tag {number}", age_seconds=number)["id"] for number in (5, 1, 3)]
    listed = api.call("GET", "/jobs").json()["data"]
    assert [one["id"] for one in listed[:3]] == [made[1], made[2], made[0]]
    assert {one["id"] for one in listed[3:]} == set(ready)
    assert all("tasks" not in one for one in listed)
    found = api.call("GET", "/jobs", include="tasks").json()["data"]
    assert [len(one["tasks"]) for one in found[:3]] == [1, 1, 1]


def test_a_list_holds_the_tasks_where_the_option_says_so(start_api: StartApi) -> None:
    listed = start_api(listed_tasks=True).call("GET", "/jobs").json()["data"]
    assert all(one["tasks"] for one in listed)


def test_jobs_are_found_by_tag_and_status(api: Api) -> None:
    good = api.made(tag="one")["id"]
    bad = api.made(tag="one", error="no")["id"]
    api.made(tag="two")
    running = api.create({"in": HOLD}, tag="one").json()["data"]["id"]

    def found(**filters: str) -> list[str]:
        query = {f"filter[{name}]": value for name, value in filters.items()}
        return [one["id"] for one in api.call("GET", "/jobs", **query).json()["data"]]

    assert set(found(tag="one")) == {good, bad, running}
    assert found(tag="one", status="finished") == [good]
    assert found(tag="one", status="error") == [bad]
    assert found(tag="one", status="processing") == [running]
    assert found(tag="three") == []


def test_a_list_comes_in_pages(api: Api) -> None:
    made = [api.made(tag="page", age_seconds=number)["id"] for number in range(5)]
    query = {"filter[tag]": "page", "per_page": "2"}
    first = api.call("GET", "/jobs", **query).json()
    assert [one["id"] for one in first["data"]] == made[:2]
    assert first["links"]["last"] is first["links"]["prev"] is None
    assert first["meta"] == {
        "current_page": 1,
        "from": 1,
        "path": f"{api.sandbox.addresses['cloudconvert']}/v2/jobs",
        "per_page": 2,
        "to": 2,
    }
    seen, link = [], first["links"]["first"]
    while link:
        page = api.file(link, Authorization=f"Bearer {api.key}").json()
        seen += [one["id"] for one in page["data"]]
        link = page["links"]["next"]
    assert seen == made
    empty = api.call("GET", "/jobs", **query, page="4").json()
    assert (empty["data"], empty["meta"]["from"], empty["links"]["next"]) == ([], None, None)


@pytest.mark.parametrize(
    "query", [{"page": "0"}, {"page": "x"}, {"per_page": "-1"}, {"per_page": "101"}]
)
def test_a_page_that_cannot_be_is_refused(api: Api, query: dict[str, str]) -> None:
    assert set(errors(api.call("GET", "/jobs", **query))) == set(query)


def test_a_deleted_job_is_gone_with_its_tasks_and_links(api: Api) -> None:
    made = api.made({"filename": "a.txt"}, exported=True)
    link = api.call("GET", f"/tasks/{made['tasks'][1]}").json()["data"]["result"]["files"][0]["url"]
    assert api.file(link).status_code == 200
    deleted = api.call("DELETE", f"/jobs/{made['id']}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    for path in (f"/jobs/{made['id']}", *(f"/tasks/{one}" for one in made["tasks"])):
        assert refusal(api.call("GET", path)) == (404, "NOT_FOUND")
    assert api.file(link).status_code == 404
    assert api.stats()["deleted"] == [made["id"]]


def test_all_is_gone_a_day_after_its_end(start_api: StartApi, clock: SteppedClock) -> None:
    api = start_api(clock)
    made = api.made({"filename": "a.txt"}, age_seconds=0, exported=True)
    task = f"/tasks/{made['tasks'][1]}"
    link = api.call("GET", task).json()["data"]["result"]["files"][0]["url"]
    clock.advance(DAY - 1)
    assert api.call("GET", f"/jobs/{made['id']}").status_code == 200
    assert api.file(link).status_code == 200
    clock.advance(1)
    assert api.call("GET", f"/jobs/{made['id']}").status_code == 404
    assert api.call("GET", task).status_code == 404
    assert api.call("GET", "/jobs").json()["data"] == []
    assert api.call("GET", "/tasks").json()["data"] == []
    assert api.file(link).status_code == 401


def test_nobody_sees_the_jobs_of_another_account(start_api: StartApi) -> None:
    api = start_api(accounts=(Account(), Account(2, "another-key")))
    made = api.made({"filename": "a.txt"}, account=2)
    paths = [f"/jobs/{made['id']}", f"/tasks/{made['tasks'][0]}"]
    assert {api.call("GET", path).status_code for path in paths} == {404}
    assert {api.call("GET", path, key="another-key").status_code for path in paths} == {200}
    taken = api.call("POST", "/export/url", {"input": made["tasks"][0]})
    assert set(errors(taken)) == {"input"}


def test_the_host_that_waits_answers_at_the_end(api: Api) -> None:
    job = api.create({"in": HOLD, "out": EXPORT}).json()["data"]
    found: list[Json] = []
    waiting = threading.Thread(target=lambda: found.append(api.wait(f"/jobs/{job['id']}")))
    waiting.start()
    wait_until(lambda: api.stats()["calls"].get("wait", 0) == 1, "the call that waits")
    assert found == []
    api.call("POST", f"/tasks/{job['tasks'][0]['id']}/cancel")
    waiting.join()
    assert found[0]["status"] == "error"


def test_the_host_that_waits_leads_to_the_only_file(api: Api) -> None:
    def created(**tasks: Any) -> Any:
        body = {"tasks": {"in": IMPORT, **tasks}, "redirect": True}
        return api.call("POST", "/jobs", body, host="cloudconvert_sync")

    answer = created(out=EXPORT)
    assert (answer.status_code, answer.content) == (302, b"")
    assert api.file(answer.headers["Location"]).content == b"one\ftwo"
    assert set(errors(created())) == {"redirect"}
    assert created(out=EXPORT, again=EXPORT).json()["data"]["status"] == "finished"
    bad = {"operation": "convert", "input": "in", "output_format": "mp4"}
    assert created(bad=bad, out={**EXPORT, "input": "bad"}).json()["data"]["status"] == "error"


def test_a_task_of_a_job_takes_others_by_id_only_if_the_option_says_so(start_api: StartApi) -> None:
    for job_inputs, status in (("names_and_ids", 201), ("names", 422)):
        api = start_api(job_inputs=job_inputs)
        made = api.made({"filename": "a.txt"})["tasks"][0]
        answer = api.create({"out": {**EXPORT, "input": made}}, tag="again")
        assert answer.status_code == status
    assert set(errors(answer)) == {"tasks.out.input"}
