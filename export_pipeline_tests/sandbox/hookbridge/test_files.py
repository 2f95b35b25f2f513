"""The host of the files: links, ranges, one credential."""

from urllib.parse import urlsplit

import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline_tests.sandbox.hookbridge.api import Api
from export_pipeline_tests.sandbox.hookbridge.conftest import StartHookBridge


@pytest.fixture
def link(hookbridge: Api) -> str:
    answer = hookbridge.download(hookbridge.made())
    assert (answer.status_code, answer.content) == (302, b"")
    return str(answer.headers["Location"])


def test_a_link_leads_to_another_origin_and_needs_no_key(hookbridge: Api, link: str) -> None:
    assert urlsplit(link).netloc != urlsplit(hookbridge.sandbox.url).netloc
    answer = hookbridge.file(link)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv")


def test_a_second_credential_is_refused(hookbridge: Api, link: str) -> None:
    answer = hookbridge.file(link, Authorization=f"Bearer {hookbridge.key}")
    assert answer.status_code == 400
    assert "<Code>InvalidArgument</Code>" in answer.text


def test_the_files_are_not_on_the_apis_port_nor_the_api_on_theirs(
    hookbridge: Api, link: str
) -> None:
    api, files = urlsplit(hookbridge.sandbox.url), urlsplit(link)
    assert hookbridge.file(files._replace(netloc=api.netloc).geturl()).status_code == 404
    there = files._replace(path="/hookbridge/v1/exports", query="").geturl()
    assert hookbridge.file(there).status_code == 404


@pytest.mark.parametrize("end", ["0", "f", "&x=1"])
def test_a_link_that_was_changed_is_refused(hookbridge: Api, link: str, end: str) -> None:
    answer = hookbridge.file(link + end)
    assert answer.status_code == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in answer.text


def test_a_link_to_another_file_is_refused(hookbridge: Api, link: str) -> None:
    other = link.replace(".csv?", "0.csv?")
    assert hookbridge.file(other).status_code == 403


def test_a_link_ends(start: StartHookBridge, clock: SteppedClock) -> None:
    hookbridge = start(link_seconds=60.0)
    link = hookbridge.download(hookbridge.made()).headers["Location"]
    clock.advance(59)
    assert hookbridge.file(link).status_code == 200
    clock.advance(1)
    answer = hookbridge.file(link)
    assert answer.status_code == 403
    assert "Request has expired" in answer.text


@pytest.mark.parametrize(
    ("wanted", "first", "end"), [("5-9", 5, 10), ("10-", 10, None), ("-7", -7, None)]
)
def test_a_range_brings_that_part(
    hookbridge: Api, link: str, wanted: str, first: int, end: int | None
) -> None:
    whole = hookbridge.file(link)
    part = hookbridge.file(link, Range=f"bytes={wanted}")
    assert part.status_code == 206
    assert part.content == whole.content[first:end]
    assert part.headers["Content-Range"].endswith(f"/{len(whole.content)}")
    assert part.headers["ETag"] == whole.headers["ETag"]


def test_a_range_past_the_end_is_not_satisfiable(hookbridge: Api, link: str) -> None:
    size = len(hookbridge.file(link).content)
    answer = hookbridge.file(link, Range=f"bytes={size}-")
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_a_range_of_another_version_brings_the_whole(hookbridge: Api, link: str) -> None:
    answer = hookbridge.file(link, Range="bytes=5-", **{"If-Range": '"another"'})
    assert answer.status_code == 200
