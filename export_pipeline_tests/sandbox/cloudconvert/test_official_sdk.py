"""The vendor's own SDK, unchanged, finds in the sandbox what it expects of the vendor."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cloudconvert
import pytest
from cloudconvert.exceptions.exceptions import ForbiddenAccess, ResourceInvalid

from export_pipeline.sandbox.cloudconvert import Account
from export_pipeline_tests.sandbox.cloudconvert.api import Api
from export_pipeline_tests.sandbox.cloudconvert.conftest import StartApi
from export_pipeline_tests.sandbox.receiving import Receiver

READER = Account(2, "reader", ("task.read",))


def pointed(api: Api, key: str) -> None:
    """The SDK's own settings, which it keeps for the whole process."""
    addresses = api.sandbox.addresses
    cloudconvert.configure(
        api_key=key,
        endpoint=addresses["cloudconvert"],
        sync_endpoint=addresses["cloudconvert_sync"],
    )


@pytest.fixture
def api(start_api: StartApi) -> Api:
    return start_api(accounts=(Account(), READER))


@pytest.fixture
def sdk(api: Api) -> Iterator[ModuleType]:
    pointed(api, api.key)
    yield cloudconvert
    cloudconvert.configure(api_key=None)


def test_it_uploads_converts_waits_and_downloads(sdk: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "my letter.txt"
    source.write_text("one\ftwo")
    job = sdk.Job.create(
        payload={
            "tasks": {
                "in": {"operation": "import/upload"},
                "out": {"operation": "convert", "input": "in", "output_format": "pdf"},
                "export": {"operation": "export/url", "input": "out"},
            },
            "tag": "sdk",
        }
    )
    upload = sdk.Task.find(id=job["tasks"][0]["id"])
    assert sdk.Task.upload(file_name=str(source), task=upload) is True
    over = sdk.Job.wait(id=job["id"])
    assert (over["status"], over["tag"]) == ("finished", "sdk")
    export = sdk.Task.wait(id=job["tasks"][2]["id"])
    (file,) = export["result"]["files"]
    target = tmp_path / file["filename"]
    assert sdk.download(filename=str(target), url=file["url"]) == str(target)
    assert target.read_bytes().startswith(b"%PDF-")
    assert job["id"] in [one["id"] for one in sdk.Job.all()]
    assert [one["name"] for one in sdk.Task.all({"filter[job_id]": job["id"], "page": 1})] == [
        "export",
        "out",
        "in",
    ]


def test_it_makes_cancels_retries_and_deletes_single_tasks(sdk: ModuleType) -> None:
    raw = {"file": "x", "filename": "a.txt"}
    task = sdk.Task.create(operation="import/raw", payload=raw)
    assert sdk.Task.wait(id=task["id"])["status"] == "finished"
    export = sdk.Task.create(operation="export/url", payload={"input": task["id"]})
    assert sdk.Task.wait(id=export["id"])["result"]["files"][0]["filename"] == "a.txt"
    again = sdk.Task.retry(id=task["id"])
    assert sdk.Task.show(id=again["id"])["retry_of_task_id"] == task["id"]
    waiting = sdk.Task.create(operation="import/upload")
    assert sdk.Task.cancel(id=waiting["id"]) is True
    assert sdk.Task.show(id=waiting["id"])["code"] == "CANCELLED"
    assert sdk.Task.delete(id=task["id"]) is True
    job = sdk.Job.create(payload={"tasks": {"in": {"operation": "import/raw", **raw}}})
    assert sdk.Job.delete(id=job["id"]) is True
    assert sdk.Job.find(id=job["id"])["code"] == "NOT_FOUND"


def test_it_reads_each_refusal(sdk: ModuleType, api: Api) -> None:
    with pytest.raises(ResourceInvalid):
        sdk.Job.create(payload={"tasks": {}})
    api.control("POST", "/options", {"invalid": 400})
    refused = sdk.Job.create(payload={"tasks": {}})
    assert refused["error"]["code"] == "INVALID_DATA"
    pointed(api, "reader")
    with pytest.raises(ForbiddenAccess):
        sdk.Job.create(payload={"tasks": {}})
    pointed(api, "wrong")
    assert sdk.Job.all() is None
    assert sdk.Job.find(id="x")["code"] == "UNAUTHENTICATED"


def test_it_takes_the_signature_of_a_webhook(sdk: ModuleType, api: Api, receiver: Receiver) -> None:
    task = {"operation": "import/raw", "file": "ü", "filename": "ü.txt"}
    sdk.Job.create(payload={"tasks": {"in": task}, "webhook_url": f"{receiver.url}/hook"})
    secret = api.sandbox.addresses["cloudconvert_webhook_secret"]
    for one in receiver.wait_for("/hook"):
        signature = one.headers["cloudconvert-signature"]
        assert sdk.Webhook.verify(one.body.decode(), signature, secret)
        assert not sdk.Webhook.verify(one.body.decode() + " ", signature, secret)
