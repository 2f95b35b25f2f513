"""export/url: its links, what lies behind them, and when they end."""

import io
import zipfile
from urllib.parse import quote, urlsplit

import httpx
import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline_tests.sandbox.cloudconvert.api import HOSTILE_NAME, Api, Json
from export_pipeline_tests.sandbox.cloudconvert.conftest import StartApi

FILE = {"filename": "letter.txt", "text": "Dear reader,\n"}


def first_link(api: Api, made: Json) -> str:
    """The link of a job that was exported when it was made."""
    task = api.call("GET", f"/tasks/{made['tasks'][1]}").json()["data"]
    return str(task["result"]["files"][0]["url"])


def test_a_link_looks_like_swifts_on_another_origin(api: Api) -> None:
    task = api.exported("export/url", FILE)
    (file,) = task["result"]["files"]
    link = urlsplit(file["url"])
    assert (file["filename"], file["size"]) == ("letter.txt", 13)
    assert link.netloc != urlsplit(api.sandbox.url).netloc
    assert link.path == f"/cloudconvert/{task['id']}/letter.txt"
    fields = dict(one.split("=") for one in link.query.split("&"))
    assert len(fields["temp_url_sig"]) == 40
    assert int(fields["temp_url_expires"]) > 0


def test_a_link_brings_the_file_to_anyone(api: Api) -> None:
    answer = api.file(api.links(FILE)[0])
    assert (answer.status_code, answer.content) == (200, b"Dear reader,\n")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["Content-Disposition"].startswith("attachment;")


def test_a_file_can_be_shown_in_place(api: Api) -> None:
    answer = api.file(api.links(FILE, inline=True)[0])
    assert answer.headers["Content-Disposition"].startswith("inline;")


def test_a_hostile_name_stays_what_it_is(api: Api) -> None:
    slashed = 'a/../b%2f;:"<x>'
    files = [
        {"filename": HOSTILE_NAME, "text": "1"},
        {"filename": slashed, "text": "2"},
        {"filename": "b", "dir": "a/..", "text": "3"},
    ]
    answers = [api.file(one) for one in api.links(*files)]
    assert [one.text for one in answers] == ["1", "2", "3"]
    for answer, name in zip(answers, (HOSTILE_NAME, slashed, "b"), strict=True):
        assert quote(name, safe="") in answer.headers["Content-Disposition"]


def test_files_of_one_name_have_links_of_their_own(api: Api) -> None:
    files = [{**FILE, "dir": name, "text": name or "none"} for name in ("2025", "2026", "")]
    task = api.exported("export/url", *files)
    told = task["result"]["files"]
    assert [(one["filename"], one.get("dir")) for one in told] == [
        ("letter.txt", "2025"),
        ("letter.txt", "2026"),
        ("letter.txt", None),
    ]
    assert [api.file(one["url"]).text for one in told] == ["2025", "2026", "none"]


def test_files_of_one_name_and_folder_are_told_apart(api: Api) -> None:
    inputs = [api.made({**FILE, "text": text})["tasks"][0] for text in ("one", "two")]
    created = api.call("POST", "/export/url", {"input": inputs}).json()["data"]["id"]
    told = api.wait(f"/tasks/{created}")["result"]["files"]
    assert [one["filename"] for one in told] == ["letter.txt"] * 2
    assert len({one["url"] for one in told}) == 2
    assert [api.file(one["url"]).text for one in told] == ["one", "two"]


@pytest.mark.parametrize("zip_name", ["archive", "task"])
def test_several_files_can_come_as_one_zip(start_api: StartApi, zip_name: str) -> None:
    api = start_api(zip_name=zip_name)
    files = [{**FILE, "dir": "2025"}, {**FILE, "dir": "2026"}]
    task = api.exported("export/url", *files, archive_multiple_files=True)
    (told,) = task["result"]["files"]
    assert told["filename"] == f"{task['id'] if zip_name == 'task' else 'archive'}.zip"
    answer = api.file(told["url"])
    assert (answer.headers["Content-Type"], len(answer.content)) == (
        "application/zip",
        told["size"],
    )
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.namelist() == ["2025/letter.txt", "2026/letter.txt"]


@pytest.mark.parametrize(("packed", "name"), [(True, "archive.zip"), (False, "letter.txt")])
def test_a_single_file_is_packed_as_the_option_says(
    start_api: StartApi, packed: bool, name: str
) -> None:
    api = start_api(zip_of_one=packed)
    task = api.exported("export/url", FILE, archive_multiple_files=True)
    assert [one["filename"] for one in task["result"]["files"]] == [name]


@pytest.mark.parametrize("dead", [401, 403, 404, 410])
def test_a_link_ends_a_day_after_it_was_made(
    start_api: StartApi, clock: SteppedClock, dead: int
) -> None:
    api = start_api(clock, dead_link=dead)
    link = first_link(api, api.made(FILE, age_seconds=0, exported=True))
    clock.advance(24 * 3600 - 1)
    assert api.file(link).status_code == 200
    clock.advance(1)
    assert api.file(link).status_code == dead


@pytest.mark.parametrize(
    ("old", "new"), [("temp_url_sig=", "temp_url_sig=f"), ("expires=", "expires=9"), ("?", "?x&")]
)
def test_a_link_that_was_changed_is_refused(api: Api, old: str, new: str) -> None:
    link = api.links(FILE)[0]
    changed = link.replace(old, new, 1)
    expected = 200 if new == "?x&" else 401
    assert api.file(changed).status_code == expected


@pytest.mark.parametrize("query", ["", "?temp_url_expires=1", "?temp_url_expires=x&temp_url_sig=y"])
def test_without_its_signature_a_link_is_refused(api: Api, query: str) -> None:
    link = api.links(FILE)[0].partition("?")[0]
    assert api.file(link + query).status_code == 401


def test_a_link_to_another_file_is_refused(api: Api) -> None:
    first, second = api.links(FILE, {"filename": "other.txt"})
    path, query = second.partition("?")[0], first.partition("?")[2]
    assert api.file(f"{path}?{query}").status_code == 401


def test_a_second_credential_is_refused(api: Api) -> None:
    link = api.links(FILE)[0]
    for url in (link, link.partition("?")[0]):
        answer = api.file(url, Authorization=f"Bearer {api.key}")
        assert answer.status_code == 400
        assert "<Code>InvalidArgument</Code>" in answer.text


def test_parts_of_a_file_are_answered_unless_the_option_says_no(start_api: StartApi) -> None:
    api = start_api()
    part = api.file(api.links(FILE)[0], Range="bytes=5-")
    assert (part.status_code, part.content) == (206, b"reader,\n")
    whole = start_api(ranges=False)
    assert whole.file(whole.links(FILE)[0], Range="bytes=5-").status_code == 200


def test_a_file_can_break_die_and_change_once(api: Api) -> None:
    link = api.links({**FILE, "size": 1000})[0]
    whole = api.file(link)
    api.plan(file=["cut", "dead", "changed", "429", "500", "503"])
    with pytest.raises(httpx.RemoteProtocolError):
        api.file(link)
    assert api.file(link).status_code == 401
    assert api.file(link).headers["ETag"] != whole.headers["ETag"]
    assert [api.file(link).status_code for _ in range(3)] == [429, 500, 503]
    assert api.file(link).content == whole.content


def test_an_export_can_give_links_that_have_ended(api: Api) -> None:
    api.plan(export=["dead_links"])
    dead, live = api.links(FILE)[0], api.links(FILE)[0]
    assert (api.file(dead).status_code, api.file(live).status_code) == (401, 200)


def test_a_file_can_be_half_of_what_it_is_said_to_be(api: Api) -> None:
    api.plan(convert=["truncated"])
    made = api.exported("convert", FILE, output_format="pdf")
    body = {"input": made["id"]}
    export = api.call("POST", "/export/url", body).json()["data"]["id"]
    (told,) = api.wait(f"/tasks/{export}")["result"]["files"]
    assert len(api.file(told["url"]).content) == told["size"] // 2
