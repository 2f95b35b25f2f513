"""Exports as seed 002 and FACTS part 3 state them."""

import csv
import io
from typing import Any

import httpx
import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline.sandbox.hookbridge import Project
from export_pipeline_tests.sandbox.hookbridge.api import DAY, ENDPOINT, Api, refusal
from export_pipeline_tests.sandbox.hookbridge.conftest import StartHookBridge

ENDPOINT_UUID = "550e8400-e29b-41d4-a716-446655440000"
SEVEN_DAYS = 7 * 24 * 3600


def rows(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


def downloaded(hookbridge: Api, export_id: str) -> bytes:
    return hookbridge.file(hookbridge.download(export_id).headers["Location"]).content


def test_an_export_goes_from_pending_to_expired(hookbridge: Api, clock: SteppedClock) -> None:
    answer = hookbridge.create(status="failed_permanent", endpoint_id=ENDPOINT)
    assert answer.status_code == 201
    created = answer.json()["data"]
    assert created == {
        "id": created["id"],
        "project_id": "proj_abc123",
        "status": "pending",
        "direction": "outbound",
        "filter_start_time": DAY["start_time"],
        "filter_end_time": DAY["end_time"],
        "filter_status": "failed_permanent",
        "filter_endpoint_id": ENDPOINT_UUID,
        "filter_inbound_endpoint_id": None,
        "row_count": None,
        "file_size_bytes": None,
        "error_message": None,
        "started_at": None,
        "completed_at": None,
        "expires_at": None,
        "created_at": "2023-11-14T22:13:20Z",
    }
    clock.advance(1)
    started = {"status": "processing", "started_at": "2023-11-14T22:13:21Z"}
    assert hookbridge.get(created["id"]) == created | started
    clock.advance(2)
    size = len(downloaded(hookbridge, created["id"]))
    completed = started | {
        "status": "completed",
        "row_count": 1,
        "file_size_bytes": size,
        "completed_at": "2023-11-14T22:13:23Z",
        "expires_at": "2023-11-21T22:13:23Z",
    }
    assert hookbridge.get(created["id"]) == created | completed
    clock.advance(SEVEN_DAYS)
    assert hookbridge.get(created["id"]) == created | completed | {"status": "expired"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start_time": None}, "start_time"),
        ({"end_time": 7}, "end_time"),
        ({"end_time": DAY["start_time"]}, "end_time"),
        ({"start_time": "2023-11-01"}, "start_time"),
        ({"start_time": "2023-11-01T00:00:00"}, "start_time"),
        ({"start_time": "2023-13-01T00:00:00Z"}, "start_time"),
        ({"status": "lost"}, "status"),
        ({"direction": "sideways"}, "direction"),
        ({"endpoint_id": ENDPOINT_UUID}, "endpoint_id"),
        ({"endpoint_id": ENDPOINT, "direction": "inbound"}, "endpoint_id"),
        ({"inbound_endpoint_id": ENDPOINT_UUID}, "inbound_endpoint_id"),
        ({"inbound_endpoint_id": "x", "direction": "inbound"}, "inbound_endpoint_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_creation_that_is_not_as_documented_is_refused(
    hookbridge: Api, changes: dict[str, Any], field: str
) -> None:
    answer = hookbridge.create(**changes)
    assert refusal(answer) == (400, "INVALID_REQUEST")
    assert field in answer.json()["error"]["message"]
    assert hookbridge.stats()["created"] == []


@pytest.mark.parametrize("body", [[], "text", 7])
def test_a_creation_without_an_object_is_refused(hookbridge: Api, body: object) -> None:
    assert refusal(hookbridge.call("POST", "/v1/exports", body)) == (400, "INVALID_REQUEST")


def test_a_creation_sent_twice_makes_two_and_both_are_listed_newest_first(
    hookbridge: Api,
) -> None:
    made = [hookbridge.create().json()["data"]["id"] for _ in range(2)]
    listed = hookbridge.call("GET", "/v1/exports").json()["data"]
    assert [one["id"] for one in listed][:2] == made[::-1]


def test_windows_and_exports_under_way_can_be_limited(start: StartHookBridge) -> None:
    hookbridge = start(window_days=1, open_exports=2)
    longer = hookbridge.create(end_time="2023-11-02T00:00:01Z")
    assert refusal(longer) == (400, "INVALID_REQUEST")
    assert [hookbridge.create().status_code for _ in range(2)] == [201, 201]
    assert refusal(hookbridge.create()) == (429, "RATE_LIMIT_EXCEEDED")


def test_a_list_can_be_of_the_newest_alone(start: StartHookBridge) -> None:
    hookbridge = start(listed=2)
    made = [hookbridge.made() for _ in range(3)]
    listed = hookbridge.call("GET", "/v1/exports").json()["data"]
    assert [one["id"] for one in listed] == [made[2], made[1]]


def test_a_window_holds_what_its_filters_let_through(hookbridge: Api) -> None:
    whole = rows(downloaded(hookbridge, hookbridge.made()))
    assert len(whole) == 24
    failed = rows(downloaded(hookbridge, hookbridge.made(status="failed_permanent")))
    assert failed == [row for row in whole if row["status"] == "failed_permanent"]
    of_one = rows(downloaded(hookbridge, hookbridge.made(endpoint_id=ENDPOINT)))
    assert of_one == [row for row in whole if row["endpoint_id"] == ENDPOINT_UUID]
    inbound = rows(downloaded(hookbridge, hookbridge.made(direction="inbound")))
    assert {row["direction"] for row in inbound} == {"inbound"}
    assert any("\r\n" in row["last_error"] and '"' in row["last_error"] for row in whole)


@pytest.mark.parametrize(("end", "count"), [("excluded", 24), ("included", 25)])
def test_a_message_at_the_very_end_is_in_it_or_not(
    start: StartHookBridge, end: str, count: int
) -> None:
    hookbridge = start(end=end)
    export_id = hookbridge.made()
    assert hookbridge.get(export_id)["row_count"] == count
    assert len(rows(downloaded(hookbridge, export_id))) == count


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize(("age", "traits"), [(0.0, ()), (1.5, ()), (60.0, ("fails",))])
def test_there_is_no_file_before_an_export_is_completed(
    start: StartHookBridge, status: int, age: float, traits: tuple[str, ...]
) -> None:
    hookbridge = start(not_ready=status)
    export_id = hookbridge.made(*traits, age_seconds=age)
    assert refusal(hookbridge.download(export_id)) == (status, "EXPORT_NOT_READY")


def test_there_is_no_file_once_an_export_expired(hookbridge: Api) -> None:
    export_id = hookbridge.made()
    link = hookbridge.download(export_id).headers["Location"]
    assert hookbridge.control("POST", f"/exports/{export_id}/expire").status_code == 204
    assert refusal(hookbridge.download(export_id)) == (410, "EXPORT_EXPIRED")
    assert hookbridge.file(link).status_code == 404


@pytest.mark.parametrize("age", [0.0, 1.5])
def test_an_active_export_is_not_deleted(hookbridge: Api, age: float) -> None:
    path = f"/v1/exports/{hookbridge.made(age_seconds=age)}"
    assert refusal(hookbridge.call("DELETE", path)) == (409, "EXPORT_ACTIVE")


@pytest.mark.parametrize("traits", [(), ("fails",)])
def test_an_export_that_ended_is_deleted_with_its_file(
    hookbridge: Api, traits: tuple[str, ...]
) -> None:
    export_id = hookbridge.made(*traits)
    answer = hookbridge.call("DELETE", f"/v1/exports/{export_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    for method, path in (("GET", ""), ("GET", "/download"), ("DELETE", "")):
        gone = hookbridge.call(method, f"/v1/exports/{export_id}{path}")
        assert refusal(gone) == (404, "NOT_FOUND")


def test_without_a_known_key_there_is_nothing(hookbridge: Api) -> None:
    wrong = hookbridge.call("GET", "/v1/exports", key="hb_test_wrong")
    assert refusal(wrong) == (401, "UNAUTHORIZED")
    none = httpx.get(f"{hookbridge.sandbox.addresses['hookbridge']}/v1/exports", trust_env=False)
    assert refusal(none) == (401, "UNAUTHORIZED")


def test_a_project_has_its_own_exports(start: StartHookBridge) -> None:
    keys = ("hb_test_of_the_first", "hb_test_of_the_second")
    projects = tuple(Project(f"proj_{number}", key) for number, key in enumerate(keys))
    hookbridge = start(projects=projects)
    export_id = hookbridge.made()
    other = hookbridge.call("GET", f"/v1/exports/{export_id}", key=keys[1])
    assert refusal(other) == (404, "NOT_FOUND")
    assert hookbridge.call("GET", "/v1/exports", key=keys[1]).json()["data"] == []


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/exports/a%2F..%2Fb", "/v1/exports/x/download"]
)
def test_an_unknown_path_or_id_is_the_vendors_404(hookbridge: Api, path: str) -> None:
    assert refusal(hookbridge.call("GET", path)) == (404, "NOT_FOUND")


def test_the_1001st_call_in_a_minute_is_refused(hookbridge: Api, clock: SteppedClock) -> None:
    path = f"/v1/exports/{hookbridge.made()}"
    statuses = [hookbridge.call("GET", path).status_code for _ in range(1000)]
    refused = hookbridge.call("GET", path)
    assert set(statuses) == {200}
    assert refusal(refused) == (429, "RATE_LIMIT_EXCEEDED")
    assert refused.headers["Retry-After"] == "60"
    clock.advance(60)
    assert hookbridge.call("GET", path).status_code == 200
    assert hookbridge.stats()["limited"] == {"requests_per_minute": 1}


def test_ids_are_of_version_7_and_differ(hookbridge: Api) -> None:
    made = [hookbridge.made() for _ in range(20)]
    assert len(set(made)) == 20
    assert all(one[14] == "7" and one[19] in "89ab" for one in made)
