"""What each operation may be told (seed 003, FACTS 4.4)."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from export_pipeline.sandbox import Sandbox, SandboxOptions
from export_pipeline.sandbox.cloudconvert import CloudConvertOptions
from export_pipeline_tests.sandbox.cloudconvert.api import Api, Json, errors

S3 = {"bucket": "b", "region": "r", "access_key_id": "k", "secret_access_key": "s"}
AZURE = {"storage_account": "a", "container": "c"}
GOOGLE = {"project_id": "p", "bucket": "b", "client_email": "e", "private_key": "k"}
OPENSTACK = {
    "auth_url": "http://127.0.0.1:1",
    "username": "u",
    "password": "p",
    "region": "r",
    "container": "c",
}
SFTP = {"host": "127.0.0.1", "port": 1, "username": "u"}
REQUIRED: dict[str, Json] = {
    "export/url": {},
    "export/s3": S3,
    "export/azure/blob": {**AZURE, "sas_token": "t"},
    "export/google-cloud-storage": GOOGLE,
    "export/openstack": OPENSTACK,
    "export/sftp": {**SFTP, "password": "p"},
    "export/upload": {"url": "http://127.0.0.1:1/"},
    "import/url": {"url": "http://127.0.0.1:1/"},
    "import/base64": {"file": "aGk=", "filename": "a.txt"},
    "import/raw": {"file": "hi", "filename": "a.txt"},
    "import/s3": {**S3, "key": "k"},
    "import/azure/blob": {**AZURE, "sas_token": "t", "blob": "b"},
    "import/google-cloud-storage": {**GOOGLE, "file": "f"},
    "import/openstack": {**OPENSTACK, "file": "f"},
    "import/sftp": {**SFTP, "password": "p", "file": "f"},
    "convert": {"output_format": "pdf"},
    "merge": {"output_format": "pdf"},
    "archive": {"output_format": "zip"},
}
OPTIONAL: dict[str, Json] = {
    "export/url": {"inline": True, "archive_multiple_files": False},
    "export/s3": {
        "endpoint": "http://127.0.0.1:1",
        "key": "k",
        "session_token": "t",
        "acl": "bucket-owner-full-control",
        "cache_control": "no-store",
        "content_disposition": "inline",
        "content_type": "text/plain",
        "metadata": {"a": "b"},
        "server_side_encryption": "aws:kms",
        "tagging": {"a": "b"},
    },
    "export/azure/blob": {"storage_access_key": "aGk=", "blob_prefix": "p", "metadata": {}},
    "export/google-cloud-storage": {"file_prefix": "p"},
    "export/openstack": {"tenant_name": "t", "file": "f"},
    "export/sftp": {"private_key": "k", "path": "p"},
    "export/upload": {"headers": {"x": "y"}},
    "import/url": {"filename": "a.txt", "headers": {"x": "y"}},
    "convert": {"input_format": "txt", "engine": "any", "any_option": 7},
}
ALL = sorted(REQUIRED)
PAIRS = [(operation, name) for operation in ALL for name in REQUIRED[operation] if name != "port"]


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """One for all, since each of these many calls stands for itself."""
    options = SandboxOptions(cloudconvert=CloudConvertOptions(pace="fast"))
    with Sandbox(options) as sandbox, closing(Api(sandbox)) as made:
        yield made


@pytest.fixture(scope="module")
def made(api: Api) -> str:
    return str(api.made({"filename": "a.txt"})["tasks"][0])


def given(operation: str, made: str, **changes: Any) -> Json:
    takes = {} if operation.startswith("import/") else {"input": made}
    return {**takes, **REQUIRED[operation], **changes}


@pytest.mark.parametrize("operation", ALL)
def test_what_is_required_is_enough(api: Api, made: str, operation: str) -> None:
    answer = api.call("POST", f"/{operation}", given(operation, made))
    assert (answer.status_code, answer.json()["data"]["operation"]) == (201, operation)


@pytest.mark.parametrize("operation", sorted(OPTIONAL))
def test_all_that_is_documented_is_taken(api: Api, made: str, operation: str) -> None:
    body = given(operation, made, **OPTIONAL[operation])
    answer = api.call("POST", f"/{operation}", body, include="payload")
    assert answer.status_code == 201, answer.text
    told = answer.json()["data"]["payload"]
    takes = {"input": [made]} if "input" in body else {}
    assert told == {"operation": operation, **body, **takes}


@pytest.mark.parametrize(("operation", "name"), PAIRS)
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_required_cannot_be_left_out(
    api: Api, made: str, operation: str, name: str, value: object
) -> None:
    field = "storage_access_key" if name == "sas_token" else name
    refused = errors(api.call("POST", f"/{operation}", given(operation, made, **{name: value})))
    assert set(refused) == {field}
    assert "required" in refused[field][0]


@pytest.mark.parametrize("operation", [one for one in ALL if not one.startswith("import/")])
def test_an_operation_on_files_needs_them(api: Api, operation: str) -> None:
    answer = api.call("POST", f"/{operation}", REQUIRED[operation])
    assert errors(answer) == {"input": ["The input field is required."]}


@pytest.mark.parametrize(
    ("operation", "name", "value"),
    [
        ("export/url", "inline", "yes"),
        ("export/url", "archive_multiple_files", 1),
        ("export/s3", "acl", "everyone"),
        ("export/s3", "server_side_encryption", "rot13"),
        ("export/s3", "metadata", "a=b"),
        ("export/s3", "metadata", ["a"]),
        ("export/s3", "tagging", {"a": 7}),
        ("export/s3", "bucket", 7),
        ("export/azure/blob", "metadata", {"a": None}),
        ("export/sftp", "port", "22"),
        ("export/sftp", "port", 0),
        ("export/sftp", "port", 65_536),
        ("export/sftp", "port", True),
        ("export/upload", "headers", "x: y"),
        ("export/upload", "url", 7),
        ("import/base64", "file", "no base64"),
        ("import/url", "headers", 7),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    api: Api, made: str, operation: str, name: str, value: object
) -> None:
    answer = api.call("POST", f"/{operation}", given(operation, made, **{name: value}))
    assert set(errors(answer)) == {name}


@pytest.mark.parametrize("operation", [one for one in ALL if "/" in one])
def test_an_argument_that_is_not_documented_is_refused(api: Api, made: str, operation: str) -> None:
    answer = api.call("POST", f"/{operation}", given(operation, made, colour="red"))
    assert errors(answer) == {"colour": ["The colour field is not known."]}


@pytest.mark.parametrize(
    ("operation", "name", "other"),
    [
        ("export/s3", "key", "key_prefix"),
        ("export/azure/blob", "blob", "blob_prefix"),
        ("export/google-cloud-storage", "file", "file_prefix"),
        ("export/openstack", "file", "file_prefix"),
        ("export/sftp", "file", "path"),
    ],
)
def test_a_name_and_a_prefix_exclude_each_other(
    api: Api, made: str, operation: str, name: str, other: str
) -> None:
    both = given(operation, made, **{name: "a", other: "b"})
    assert set(errors(api.call("POST", f"/{operation}", both))) == {name}


def test_one_of_two_credentials_is_enough(api: Api, made: str) -> None:
    key = given("export/sftp", made, password=None, private_key="k")
    assert api.call("POST", "/export/sftp", key).status_code == 201
    key = given("export/azure/blob", made, sas_token=None, storage_access_key="aGk=")
    assert api.call("POST", "/export/azure/blob", key).status_code == 201
