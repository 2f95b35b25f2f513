"""Single tasks: by the ids of others, and what can be done with each."""

import pytest

from export_pipeline_tests.sandbox.cloudconvert.api import (
    IMPORT,
    Api,
    errors,
    refusal,
    wait_over,
)

UNKNOWN = "eed87242-577e-4e3e-8178-9edbe51975dd"


def test_a_single_task_takes_the_files_of_others_by_id(api: Api) -> None:
    made = [api.made({"filename": name})["tasks"][0] for name in ("a.txt", "b.txt")]
    created = api.call("POST", "/export/url", {"input": made})
    task = created.json()["data"]
    assert (created.status_code, task["status"], task["job_id"]) == (201, "waiting", None)
    assert "name" not in task
    assert task["depends_on_task_ids"] == made
    over = wait_over(api, task["id"])
    assert [one["filename"] for one in over["result"]["files"]] == ["a.txt", "b.txt"]
    assert (over["status"], over["message"], over["percent"]) == ("finished", None, 100)


@pytest.mark.parametrize("given", [None, "", [], 7, [7], UNKNOWN, [UNKNOWN]])
def test_an_input_that_is_no_task_is_refused(api: Api, given: object) -> None:
    assert set(errors(api.call("POST", "/export/url", {"input": given}))) == {"input"}


def test_a_task_begins_when_its_input_is_over(api: Api) -> None:
    upload = api.call("POST", "/import/upload").json()["data"]
    export = api.call("POST", "/export/url", {"input": upload["id"]}).json()["data"]
    assert api.call("GET", f"/tasks/{export['id']}").json()["data"]["status"] == "waiting"
    api.call("POST", f"/tasks/{upload['id']}/cancel")
    over = wait_over(api, export["id"])
    assert (over["status"], over["code"]) == ("error", "INPUT_TASK_FAILED")


def test_an_operation_that_is_not_there_is_a_404(api: Api) -> None:
    assert refusal(api.call("POST", "/export/ftp", {"input": "x"})) == (404, "NOT_FOUND")


def test_tasks_are_found_by_job_status_and_operation(api: Api) -> None:
    job = api.job({"in": IMPORT, "out": {"operation": "export/url", "input": "in"}})
    api.made({"filename": "a.txt"}, error="no")

    def found(**filters: str) -> list[str]:
        query = {f"filter[{name}]": value for name, value in filters.items()}
        return [one["name"] for one in api.call("GET", "/tasks", **query).json()["data"]]

    assert sorted(found(job_id=job["id"])) == ["in", "out"]
    assert found(job_id=job["id"], operation="export/url") == ["out"]
    assert found(status="error") == ["import-files"]
    assert found(job_id=UNKNOWN) == []


def test_more_is_told_of_a_task_where_that_is_asked_for(api: Api) -> None:
    made = api.made({"filename": "a.txt"}, exported=True, tag="mine")
    path = f"/tasks/{made['tasks'][1]}"
    plain = api.call("GET", path).json()["data"]
    assert not {"retries", "depends_on_tasks", "job", "payload"} & set(plain)
    again = api.call("POST", f"{path}/retry").json()["data"]
    query = {"include": "retries,depends_on_tasks,payload,job"}
    more = api.call("GET", path, **query).json()["data"]
    assert [one["id"] for one in more["retries"]] == [again["id"]]
    assert [one["id"] for one in more["depends_on_tasks"]] == made["tasks"][:1]
    assert more["payload"] == {"operation": "export/url", "input": ["import-files"]}
    assert (more["job"]["id"], more["job"]["tag"]) == (made["id"], "mine")
    whole = api.call("GET", f"/jobs/{made['id']}", include="payload").json()["data"]
    assert whole["tasks"][1]["payload"] == more["payload"]
    assert api.call("GET", f"/tasks/{again['id']}", include="job").json()["data"]["job"] is None


def test_a_retry_is_another_task_that_does_the_same(api: Api) -> None:
    made = api.made({"filename": "a.txt"}, exported=True)
    answer = api.call("POST", f"/tasks/{made['tasks'][1]}/retry")
    again = api.wait(f"/tasks/{answer.json()['data']['id']}")
    assert answer.status_code == 201
    assert again["retry_of_task_id"] == made["tasks"][1]
    assert again["id"] != made["tasks"][1]
    assert api.file(again["result"]["files"][0]["url"]).status_code == 200


def test_a_retry_without_what_it_took_its_files_from_fails(api: Api) -> None:
    made = api.made({"filename": "a.txt"}, exported=True)
    api.call("DELETE", f"/tasks/{made['tasks'][0]}")
    again = api.call("POST", f"/tasks/{made['tasks'][1]}/retry").json()["data"]
    assert api.wait(f"/tasks/{again['id']}")["code"] == "INPUT_TASK_FAILED"


def test_a_task_that_is_over_cannot_be_cancelled_nor_another_be_retried(api: Api) -> None:
    over = api.made({"filename": "a.txt"})["tasks"][0]
    under_way = api.call("POST", "/import/upload").json()["data"]["id"]
    assert set(errors(api.call("POST", f"/tasks/{over}/cancel"))) == {"status"}
    assert set(errors(api.call("POST", f"/tasks/{under_way}/retry"))) == {"status"}


def test_a_cancelled_task_is_over(api: Api) -> None:
    upload = api.call("POST", "/import/upload").json()["data"]["id"]
    cancelled = api.call("POST", f"/tasks/{upload}/cancel")
    assert cancelled.status_code == 200
    task = cancelled.json()["data"]
    assert (task["status"], task["code"], task["result"]) == ("error", "CANCELLED", None)


def test_a_deleted_task_is_gone_with_its_links_and_from_its_job(api: Api) -> None:
    made = api.made({"filename": "a.txt"}, exported=True)
    path = f"/tasks/{made['tasks'][1]}"
    link = api.call("GET", path).json()["data"]["result"]["files"][0]["url"]
    deleted = api.call("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert refusal(api.call("GET", path)) == (404, "NOT_FOUND")
    assert refusal(api.call("DELETE", path)) == (404, "NOT_FOUND")
    assert api.file(link).status_code == 404
    left = api.call("GET", f"/jobs/{made['id']}").json()["data"]["tasks"]
    assert [one["id"] for one in left] == made["tasks"][:1]


def test_the_account_is_told(api: Api) -> None:
    told = api.call("GET", "/users/me").json()["data"]
    assert set(told) == {"id", "username", "email", "created_at", "credits", "links"}
