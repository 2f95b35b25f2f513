"""export/google-cloud-storage and its import against fake-gcs-server behind a gate that judges."""

import json

import httpx
import pytest

from export_pipeline_tests.sandbox.cloudconvert.api import HOSTILE_NAME, Api, Json
from export_pipeline_tests.sandbox.cloudconvert.conftest import StartApi
from export_pipeline_tests.sandbox.cloudconvert.stores.files import (
    EMPTY,
    HOSTILE,
    LETTER,
    brought,
    done,
    failed,
)
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.servers.google import PROJECT


@pytest.fixture
def api(start_api: StartApi, gcs: Gcs) -> Api:
    return start_api(google_url=gcs.url, google_token_url=f"{gcs.google.url}/token")


@pytest.fixture
def given(gcs: Gcs) -> Json:
    key = json.loads(gcs.google.key_file())
    return {
        "project_id": PROJECT,
        "bucket": gcs.new_bucket(),
        "client_email": key["client_email"],
        "private_key": key["private_key"],
    }


def names(gcs: Gcs, given: Json) -> set[str]:
    found = httpx.get(f"{gcs.upstream}/storage/v1/b/{given['bucket']}/o").json()
    return {one["name"] for one in found.get("items", ())}


def test_a_file_is_stored_by_its_name(api: Api, gcs: Gcs, given: Json) -> None:
    name = f"a b/=2e/{HOSTILE_NAME}"
    task = api.exported("export/google-cloud-storage", LETTER, **given, file=name)
    assert done(task) == ["letter.txt"]
    found = gcs.describe(given["bucket"], name)
    assert (found["size"], found["contentType"]) == ("13", "text/plain")
    assert brought(api, "import/google-cloud-storage", **given, file=name) == {
        HOSTILE_NAME: b"Dear reader,\n"
    }


def test_several_files_are_numbered_or_keep_their_names(api: Api, gcs: Gcs, given: Json) -> None:
    files = (LETTER, HOSTILE, EMPTY)
    done(api.exported("export/google-cloud-storage", *files, **given, file="my-%d"))
    done(api.exported("export/google-cloud-storage", *files, **given, file_prefix="in/"))
    assert names(gcs, given) == {
        *("my-1", "my-2", "my-3"),
        *("in/letter.txt", f"in/{HOSTILE_NAME}", "in/empty.bin"),
    }
    assert len(brought(api, "import/google-cloud-storage", **given, file_prefix="in/")) == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nx"}, "private key is not valid"),
        ({"bucket": "no-such-bucket"}, "404"),
    ],
)
def test_what_google_refuses_fails_the_task_with_its_reason(
    api: Api, given: Json, changes: Json, reason: str
) -> None:
    task = api.exported("export/google-cloud-storage", LETTER, **{**given, **changes})
    assert reason in failed(task)


def test_another_key_is_refused_at_the_login(api: Api, gcs: Gcs, given: Json) -> None:
    gcs.google.answers.append((400, {"error": "invalid_grant"}))
    assert "invalid_grant" in failed(api.exported("export/google-cloud-storage", LETTER, **given))
    assert names(gcs, given) == set()
