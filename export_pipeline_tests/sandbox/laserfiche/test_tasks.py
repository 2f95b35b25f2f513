from typing import Any

import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline_tests.sandbox.laserfiche.conftest import StartApi
from export_pipeline_tests.sandbox.laserfiche.stepping import stepped

SLOW = EntrySpec("slow", pages=1, work_seconds=100)


def test_a_question_is_held_until_the_first_of_its_tasks_ends(
    start_api: StartApi, clock: SteppedClock
) -> None:
    api = start_api(clock)
    slow, slower = api.add(EntrySpec("a", pages=1, work_seconds=40), SLOW)
    tasks = [api.start(slow), api.start(slower)]
    told = stepped(clock, 40, lambda: api.tasks(*tasks))
    assert [one["status"] for one in told] == ["Completed", "InProgress"]
    assert told[1]["percentComplete"] == 40
    assert [one["status"] for one in api.tasks(*tasks)] == ["Completed", "InProgress"]


def test_a_question_is_held_for_a_minute_at_most(start_api: StartApi, clock: SteppedClock) -> None:
    api = start_api(clock)
    (entry,) = api.add(SLOW)
    task = api.start(entry)
    (told,) = stepped(clock, 60, lambda: api.tasks(task))
    assert (told["status"], told["percentComplete"]) == ("InProgress", 60)


@pytest.mark.parametrize("status", ["absent", "refused"])
def test_a_task_is_forgotten_15_minutes_after_its_end(
    start_api: StartApi, clock: SteppedClock, status: str
) -> None:
    api = start_api(clock, unknown_task=status)
    (entry,) = api.add(EntrySpec("x", pages=1, work_seconds=0))
    task = api.start(entry)
    clock.advance(899)
    assert len(api.tasks(task)) == 1
    clock.advance(1)
    api.token = ""
    answer = api.call("GET", f"/Tasks?taskIds={task}")
    assert answer.status_code == (200 if status == "absent" else 404)
    assert status == "refused" or answer.json()["value"] == []


@pytest.mark.parametrize(("tasks_of", "found"), [("token", 0), ("account", 1)])
def test_whose_a_task_is_can_be_chosen(start_api: StartApi, tasks_of: str, found: int) -> None:
    api = start_api(tasks_of=tasks_of)
    (entry,) = api.add(EntrySpec("x", pages=1, work_seconds=0))
    task = api.start(entry)
    assert len(api.tasks(task)) == 1
    api.token = ""
    assert len(api.tasks(task)) == found


def test_ids_are_repeated_or_apart_by_commas_and_without_any_all_are_told(
    start_api: StartApi,
) -> None:
    api = start_api()
    (entry,) = api.add(EntrySpec("x", pages=1, work_seconds=0))
    first, second, _ = [api.start(entry) for _ in range(3)]
    assert [one["id"] for one in api.tasks(first, second)] == [first, second]
    assert [one["id"] for one in api.tasks(f"{first},{second}")] == [first, second]
    assert len(api.call("GET", "/Tasks").json()["value"]) == 3
    assert api.stats()["questions_without_ids"] == 1
    assert api.stats()["most_tasks_asked"] == 2


def test_a_running_task_can_be_cancelled_and_one_that_ended_cannot(
    start_api: StartApi, clock: SteppedClock
) -> None:
    api = start_api(clock)
    slow, quick = api.add(SLOW, EntrySpec("x", pages=1, work_seconds=0))
    running, ended = api.start(slow), api.start(quick)
    (told,) = api.call("DELETE", f"/Tasks?taskIds={running}").json()["value"]
    assert told == {"id": running, "taskType": "ExportEntry", "result": True}
    assert api.tasks(running)[0]["status"] == "Cancelled"
    refused = api.call("DELETE", f"/Tasks?taskIds={ended}")
    assert refused.status_code == 400
    assert "Cannot cancel ended operation" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("trait", "first", "second"),
    [
        ("fails_first", "Failed", "Completed"),
        ("refused", "Failed", "Failed"),
        ("cancelled_first", "Cancelled", "Completed"),
        ("lost_first", None, "Completed"),
    ],
)
def test_an_entry_may_misbehave(
    start_api: StartApi, trait: str, first: str | None, second: str
) -> None:
    api = start_api()
    (entry,) = api.add(EntrySpec("x", pages=1, work_seconds=0, traits=(trait,)))
    statuses = []
    for _ in range(2):
        told = api.tasks(api.start(entry))
        statuses.append(told[0]["status"] if told else None)
        assert all(bool(one["errors"]) == (one["status"] == "Failed") for one in told)
    assert statuses == [first, second]


@pytest.mark.parametrize("limits", [{"pace": "documented"}, {"long_operations": 1}])
def test_an_account_has_one_long_operation_of_whatever_kind(
    start_api: StartApi, clock: SteppedClock, limits: dict[str, Any]
) -> None:
    api = start_api(clock, **limits)
    (entry,) = api.add(SLOW)
    export = (f"/Entries/{entry}/ExportAsync", {"part": "Image"})
    search = ("/Searches/SearchAsync", {"searchCommand": '{LF:Name="*"}'})
    for running in (export, search):
        assert api.call("POST", *running).status_code == 202
        for other in (export, search):
            refused = api.call("POST", *other)
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        clock.advance(100)
    assert api.call("POST", *export).status_code == 202
    assert api.stats()["limited"] == {"long_operations": 4}
