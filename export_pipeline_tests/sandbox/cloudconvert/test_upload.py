"""export/upload: by HTTP PUT to any URL."""

import pytest

from export_pipeline_tests.sandbox.cloudconvert.api import HOSTILE_NAME, Api
from export_pipeline_tests.sandbox.receiving import Receiver

FILE = {"filename": "letter.txt", "text": "Dear reader,\n"}


def test_the_file_is_put_where_the_url_says_byte_for_byte(api: Api, receiver: Receiver) -> None:
    path = "/a%2fb/../c%20=2e?X-Sig=a%2Fb+c&x="
    task = api.exported("export/upload", FILE, url=receiver.url + path)
    (request,) = receiver.requests
    assert (task["status"], task["result"]) == ("finished", {"files": [{"filename": "letter.txt"}]})
    assert (request.method, request.body) == ("PUT", b"Dear reader,\n")
    assert request.path == path
    assert request.headers["content-type"] == "text/plain"
    assert request.headers["content-length"] == "13"


def test_headers_go_with_it_and_their_type_is_kept(api: Api, receiver: Receiver) -> None:
    headers = {"If-None-Match": "*", "content-type": "application/x-mine", "X-Key": "k"}
    api.exported("export/upload", FILE, url=f"{receiver.url}/x", headers=headers)
    (request,) = receiver.requests
    assert request.headers["if-none-match"] == "*"
    assert (request.headers["content-type"], request.headers["x-key"]) == (
        "application/x-mine",
        "k",
    )


def test_an_empty_file_of_a_hostile_name_is_sent_too(api: Api, receiver: Receiver) -> None:
    file = {"filename": HOSTILE_NAME, "text": ""}
    task = api.exported("export/upload", file, url=f"{receiver.url}/x")
    assert task["result"]["files"] == [{"filename": HOSTILE_NAME}]
    assert receiver.requests[0].headers["content-length"] == "0"


@pytest.mark.parametrize("status", [301, 307, 403, 412, 500])
def test_an_answer_other_than_success_fails_the_task(
    api: Api, receiver: Receiver, status: int
) -> None:
    receiver.answer = lambda _: status
    task = api.exported("export/upload", FILE, url=f"{receiver.url}/x")
    assert (task["status"], task["code"], task["result"]) == ("error", "EXPORT_FAILED", None)
    assert str(status) in task["message"]
    assert len(receiver.requests) == 1


def test_no_answer_fails_the_task_without_showing_the_url(api: Api) -> None:
    task = api.exported("export/upload", FILE, url="http://127.0.0.1:1/?X-Sig=secret")
    assert (task["status"], task["code"]) == ("error", "EXPORT_FAILED")
    assert "secret" not in task["message"]


def test_a_lost_answer_makes_it_send_again(api: Api, receiver: Receiver) -> None:
    receiver.answer = lambda _: 412 if receiver.requests else 201
    api.plan(export=["lost_answer"])
    task = api.exported("export/upload", FILE, url=f"{receiver.url}/x")
    assert [one.body for one in receiver.requests] == [b"Dear reader,\n"] * 2
    assert task["status"] == "error"
    assert api.stats()["uploads_sent"] == 2


def test_several_files_are_put_to_the_one_url(api: Api, receiver: Receiver) -> None:
    task = api.exported("export/upload", FILE, {**FILE, "text": "two"}, url=f"{receiver.url}/x")
    assert [one.body for one in receiver.requests] == [b"Dear reader,\n", b"two"]
    assert len(task["result"]["files"]) == 2
