import httpx
import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline.sandbox.laserfiche import EntrySpec
from export_pipeline_tests.sandbox.laserfiche.api import Api
from export_pipeline_tests.sandbox.laserfiche.conftest import StartApi


def test_the_31st_export_in_a_minute_is_refused_and_other_calls_go_on(
    start_api: StartApi, clock: SteppedClock
) -> None:
    api = start_api(clock, pace="documented")
    (entry,) = api.add(EntrySpec("x", pages=1, work_seconds=0))
    for number in range(30):
        clock.advance(1)
        if number % 2:
            api.start(entry)
        else:
            assert api.export(entry).status_code == 200
    refused = api.export(entry)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "31")
    assert api.call("GET", f"/Entries/{entry}").status_code == 200
    clock.advance(31)
    assert api.export(entry).status_code == 200
    assert api.stats()["limited"] == {"exports_per_minute": 1}


def test_the_101st_other_call_in_a_minute_is_refused(
    start_api: StartApi, clock: SteppedClock
) -> None:
    api = start_api(clock, pace="documented", retry_after=False)
    for _ in range(100):
        assert api.call("GET", "/AuditReasons").status_code == 200
    refused = api.call("GET", "/AuditReasons")
    assert refused.status_code == 429
    assert "Retry-After" not in refused.headers


def test_limits_can_be_chosen_apart_from_the_pace(start_api: StartApi) -> None:
    api = start_api(exports_per_minute=1, calls_per_minute=2)
    (entry,) = api.add(EntrySpec("x", pages=1, work_seconds=0))
    assert [api.export(entry).status_code for _ in range(2)] == [200, 429]
    assert [api.call("GET", "/AuditReasons").status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_link_dies(start_api: StartApi, clock: SteppedClock, status: int) -> None:
    api = start_api(clock, dead_link=status)
    (entry,) = api.add(EntrySpec("x", pages=1, work_seconds=0))
    link = api.export(entry).json()["value"]
    clock.advance(599)
    assert api.download(link).status_code == 200
    clock.advance(1)
    assert api.download(link).status_code == status


def test_a_link_that_was_tampered_with_is_refused(api: Api) -> None:
    (entry,) = api.add(EntrySpec("x", pages=1))
    link = api.export(entry).json()["value"]
    assert api.download(link + "0").status_code == 403
    assert api.download(link.partition("?")[0]).status_code == 403


def test_the_file_host_is_another_origin_and_takes_no_second_credential(api: Api) -> None:
    (entry,) = api.add(EntrySpec("x", pages=1))
    link = api.export(entry).json()["value"]
    assert not link.startswith(api.sandbox.url)
    assert api.download(link, Authorization=f"Bearer {api.token}").status_code == 400


@pytest.mark.parametrize(("ranges", "status"), [(True, 206), (False, 200)])
def test_parts_of_a_file_can_be_had_where_the_host_gives_them(
    start_api: StartApi, ranges: bool, status: int
) -> None:
    api = start_api(ranges=ranges)
    (entry,) = api.add(EntrySpec("x", pages=1))
    answer = api.download(api.export(entry).json()["value"], Range="bytes=4-")
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("operation", "method", "path"),
    [
        ("entry", "GET", "/Entries/11"),
        ("reasons", "GET", "/AuditReasons"),
        ("children", "GET", "/Entries/2/Folder/Children"),
        ("tasks", "GET", "/Tasks"),
    ],
)
def test_a_fault_that_is_planned_meets_the_next_call_of_its_kind(
    api: Api, operation: str, method: str, path: str
) -> None:
    api.control("POST", "/faults", {operation: ["503", "garbage"]})
    headers = {"Authorization": f"Bearer {api.login().json()['access_token']}"}
    answers = [httpx.request(method, api.repository_url + path, headers=headers) for _ in range(3)]
    assert [one.status_code for one in answers] == [503, 502, 200]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", {"export": ["nonsense"]}),
        ("/faults", {"nonsense": ["429"]}),
        ("/options", {"pace": "slow"}),
        ("/options", {"nonsense": 1}),
        ("/expire", ["everything"]),
        ("/entries", [{"id": 5}]),
        ("/entries", [{"name": "x", "traits": ["nonsense"]}]),
    ],
)
def test_what_the_control_endpoint_does_not_know_is_refused(
    api: Api, path: str, body: object
) -> None:
    assert api.control("POST", path, body).status_code == 400


def test_another_repository_is_not_there(api: Api) -> None:
    url = f"{api.base}/v2/Repositories/r-other/AuditReasons"
    assert api.call("GET", url).status_code == 404
    repositories = api.call("GET", f"{api.base}/v2/Repositories").json()["value"]
    assert [one["id"] for one in repositories] == [api.repository]
