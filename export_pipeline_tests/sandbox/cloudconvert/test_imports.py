"""Inputs: fetched, given in the order itself, or uploaded."""

import base64

import httpx
import pytest

from export_pipeline.sandbox import SteppedClock
from export_pipeline_tests.sandbox.cloudconvert.api import HOSTILE_NAME, Api, Json, wait_over
from export_pipeline_tests.sandbox.cloudconvert.conftest import StartApi

DAY = 24 * 3600


def content(api: Api, task: str) -> bytes:
    """The only file of a task."""
    export = api.call("POST", "/export/url", {"input": task}).json()["data"]["id"]
    (file,) = api.wait(f"/tasks/{export}")["result"]["files"]
    return api.file(file["url"]).content


def imported(api: Api, operation: str, **arguments: object) -> Json:
    created = api.call("POST", f"/{operation}", arguments).json()["data"]["id"]
    return api.wait(f"/tasks/{created}")


def test_a_file_comes_in_the_order_as_it_is_or_in_base64(api: Api) -> None:
    raw = imported(api, "import/raw", file="ü\0", filename=HOSTILE_NAME)
    packed = base64.b64encode(b"\xff\0").decode()
    other = imported(api, "import/base64", file=packed, filename="a.bin")
    assert raw["result"] == {"files": [{"filename": HOSTILE_NAME, "size": 3}]}
    assert content(api, raw["id"]) == "ü\0".encode()
    assert content(api, other["id"]) == b"\xff\0"


def test_a_file_is_fetched_from_a_url_with_the_headers_given(api: Api) -> None:
    source = api.links({"filename": "from.txt", "text": "There."})[0]
    task = imported(api, "import/url", url=source)
    assert task["result"]["files"][0]["filename"] == "from.txt"
    assert content(api, task["id"]) == b"There."
    named = imported(api, "import/url", url=source, filename="other.txt")
    assert named["result"]["files"][0]["filename"] == "other.txt"
    refused = imported(api, "import/url", url=source, headers={"Authorization": "Bearer x"})
    assert (refused["status"], refused["code"]) == ("error", "IMPORT_FAILED")
    assert "400" in refused["message"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "nowhere", "ftp://127.0.0.1/x"])
def test_a_url_that_brings_nothing_fails_the_task(api: Api, url: str) -> None:
    task = imported(api, "import/url", url=url)
    assert (task["status"], task["code"], task["result"]) == ("error", "IMPORT_FAILED", None)


def waiting_upload(api: Api, **arguments: str) -> Json:
    task: Json = api.call("POST", "/import/upload", arguments).json()["data"]
    assert (task["status"], task["operation"]) == ("waiting", "import/upload")
    return task


def sent(api: Api, form: Json, body: bytes, filename: str = "a.txt") -> httpx.Response:
    return api.post(form["url"], data=form["parameters"], files={"file": (filename, body)})


def test_a_file_is_uploaded_by_the_form_of_its_task(api: Api) -> None:
    task = waiting_upload(api)
    form = task["result"]["form"]
    assert set(form["parameters"]) == {*("expires", "max_file_count", "max_file_size", "signature")}
    answer = sent(api, form, b"--\r\n\r\nbinary\0\r\n", HOSTILE_NAME.replace('"', ""))
    assert (answer.status_code, answer.content) == (201, b"")
    over = wait_over(api, task["id"])
    assert over["result"]["files"][0]["filename"] == HOSTILE_NAME.replace('"', "")
    assert content(api, task["id"]) == b"--\r\n\r\nbinary\0\r\n"
    assert sent(api, form, b"again").status_code == 404


def test_an_upload_can_lead_elsewhere(api: Api) -> None:
    form = waiting_upload(api, redirect="https://example.com/done")["result"]["form"]
    answer = sent(api, form, b"x")
    assert (answer.status_code, answer.headers["Location"]) == (303, "https://example.com/done")


def test_a_form_as_the_node_sdk_writes_it_is_read(api: Api) -> None:
    form = waiting_upload(api)["result"]["form"]
    parts = [
        f'content-disposition:form-data;name="{name}"\r\n\r\n{value}'
        for name, value in form["parameters"].items()
    ]
    parts.append(
        'content-disposition:form-data;name="file";filename=my file.txt\r\n'
        "content-type:application/octet-stream\r\n\r\nbytes"
    )
    body = "--X\r\n" + "\r\n--X\r\n".join(parts) + "\r\n--X--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=X"}
    assert api.post(form["url"], content=body.encode(), headers=headers).status_code == 201


def test_an_upload_that_is_not_as_the_form_was_given_is_refused(api: Api) -> None:
    form = waiting_upload(api)["result"]["form"]
    url, fields = form["url"], form["parameters"]
    file = {"file": ("a.txt", b"x")}
    assert api.post(url, data={**fields, "signature": "f" * 64}, files=file).status_code == 403
    assert api.post(url, data={**fields, "max_file_size": 1}, files=file).status_code == 403
    assert api.post(url, data={}, files=file).status_code == 403
    first = {**file, **{name: (None, str(value)) for name, value in fields.items()}}
    assert api.post(url, files=first).status_code == 400
    assert api.post(url, data=fields).status_code == 400
    assert api.post(url, json=fields).status_code == 400
    with_key = api.post(
        url, data=fields, files=file, headers={"Authorization": f"Bearer {api.key}"}
    )
    assert with_key.status_code == 400
    assert api.stats()["credentials_at_files"] == 1
    assert sent(api, form, b"x").status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--X",
        b"--X\r\n\r\n",
        b"--X\r\ncontent-disposition:form-data\r\n\r\nx\r\n--X--",
        b'--X\r\ncontent-disposition:form-data;name="file"\r\n\r\nx\r\n--X\r\n',
        b"y--X--",
    ],
)
def test_a_form_that_is_broken_is_refused(api: Api, body: bytes) -> None:
    form = waiting_upload(api)["result"]["form"]
    headers = {"Content-Type": 'multipart/form-data; boundary="X"'}
    assert api.post(form["url"], content=body, headers=headers).status_code == 400


def test_a_form_ends(start_api: StartApi, clock: SteppedClock) -> None:
    api = start_api(clock)
    form = waiting_upload(api)["result"]["form"]
    clock.advance(DAY)
    assert sent(api, form, b"x").status_code == 404
