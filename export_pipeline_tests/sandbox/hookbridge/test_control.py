"""What a test may do to the sandbox's HookBridge."""

import httpx
import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline_tests.sandbox.hookbridge.api import Api, refusal


def link(hookbridge: Api, *traits: str) -> str:
    return str(hookbridge.download(hookbridge.made(*traits)).headers["Location"])


def test_the_ready_exports_are_completed(hookbridge: Api) -> None:
    ready = hookbridge.sandbox.addresses["examples"]["hookbridge"]["exports"]
    found = [hookbridge.get(one) for one in ready]
    assert [one["status"] for one in found] == ["completed"] * 3
    assert [(one["direction"], one["filter_status"]) for one in found] == [
        ("outbound", None),
        ("outbound", "failed_permanent"),
        ("inbound", None),
    ]
    assert {one["filter_end_time"] for one in found} == {"2023-11-14T00:00:00Z"}


@pytest.mark.parametrize(
    ("fault", "status"),
    [("401", 401), ("403", 403), ("429", 429), ("500", 500), ("503", 503), ("garbage", 502)],
)
@pytest.mark.parametrize("operation", ["create", "list", "get", "download", "delete"])
def test_a_planned_fault_meets_one_call_of_its_operation(
    hookbridge: Api, operation: str, fault: str, status: int
) -> None:
    path = f"/v1/exports/{hookbridge.made()}"
    assert hookbridge.control("POST", "/faults", {operation: [fault]}).status_code == 204
    calls = {
        "create": hookbridge.create,
        "list": lambda: hookbridge.call("GET", "/v1/exports"),
        "get": lambda: hookbridge.call("GET", path),
        "download": lambda: hookbridge.call("GET", f"{path}/download"),
        "delete": lambda: hookbridge.call("DELETE", path),
    }
    assert calls.pop(operation)().status_code == status
    assert all(call().status_code < 400 for call in calls.values())


def test_a_lost_answer_is_of_a_call_that_did_its_work(hookbridge: Api) -> None:
    hookbridge.control("POST", "/faults", {"create": ["drop"]})
    with pytest.raises(httpx.RemoteProtocolError):
        hookbridge.create()
    assert len(hookbridge.stats()["created"]) == 1


def test_a_planned_trait_is_of_the_next_export_created(
    hookbridge: Api, clock: SteppedClock
) -> None:
    hookbridge.control("POST", "/faults", {"create": ["never_ends"]})
    made = [hookbridge.create().json()["data"]["id"] for _ in range(2)]
    clock.advance(3600)
    assert [hookbridge.get(one)["status"] for one in made] == ["processing", "completed"]


def test_a_file_can_break_die_and_change_once(hookbridge: Api) -> None:
    found = link(hookbridge)
    whole = hookbridge.file(found)
    hookbridge.control("POST", "/faults", {"file": ["cut", "dead", "changed", "503"]})
    with pytest.raises(httpx.RemoteProtocolError):
        hookbridge.file(found)
    assert hookbridge.file(found).status_code == 403
    assert hookbridge.file(found).headers["ETag"] != whole.headers["ETag"]
    assert hookbridge.file(found).status_code == 503
    assert hookbridge.file(found).content == whole.content


@pytest.mark.parametrize(
    ("trait", "rows", "share"), [("fewer_rows", 23, 1.0), ("fewer_bytes", None, 0.5)]
)
def test_a_file_can_be_less_than_it_is_said_to_be(
    hookbridge: Api, trait: str, rows: int | None, share: float
) -> None:
    export_id = hookbridge.made(trait)
    said = hookbridge.get(export_id)
    body = hookbridge.file(hookbridge.download(export_id).headers["Location"]).content
    assert said["row_count"] == 24
    assert len(body) == int(said["file_size_bytes"] * share)
    if rows is not None:
        assert body.count(b"2023-11-01T") == rows


def test_a_file_can_be_no_table(hookbridge: Api) -> None:
    body = hookbridge.file(link(hookbridge, "no_csv")).content
    assert body.startswith(b"message_id;endpoint_id,")


def test_a_failed_export_says_so(hookbridge: Api) -> None:
    found = hookbridge.get(hookbridge.made("fails"))
    assert (found["status"], bool(found["error_message"])) == ("failed", True)
    assert found["row_count"] is found["expires_at"] is None


def test_an_export_can_be_deleted_by_somebody_else(hookbridge: Api) -> None:
    export_id = hookbridge.made(age_seconds=0)
    assert hookbridge.control("DELETE", f"/exports/{export_id}").status_code == 204
    assert refusal(hookbridge.download(export_id)) == (404, "NOT_FOUND")
    assert hookbridge.stats()["deleted"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/exports", [{"filters": {}, "traits": ["unheard_of"]}]),
        ("/exports", [{"filters": {}, "colour": "red"}]),
        ("/exports", 7),
        ("/options", {"pace": "slow"}),
        ("/options", {"link_seconds": -1}),
        ("/faults", {"create": ["lightning"]}),
        ("/faults", {"nothing": ["429"]}),
        ("/faults", []),
    ],
)
def test_a_wrong_wish_is_a_400_with_the_reason(hookbridge: Api, path: str, body: object) -> None:
    answer = hookbridge.control("POST", path, body)
    assert answer.status_code == 400
    assert answer.text


def test_what_was_done_is_told(hookbridge: Api) -> None:
    created = hookbridge.create(status="queued").json()["data"]
    found = hookbridge.control("GET", "/stats").json()
    assert found == hookbridge.stats()
    assert found["calls"] == {"create": 1}
    (told,) = found["created"]
    assert told.items() <= created.items()
