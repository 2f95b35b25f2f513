"""The seven exports: every argument of seed 003, and what is wrong before anything is sent."""

from typing import Any

import pytest
from pydantic import ValidationError

from export_pipeline.errors import ConfigError
from export_pipeline.storage.azure.options import AzureOptions
from export_pipeline.storage.azure.place import Place
from export_pipeline.storage.gcs.options import GcsOptions
from export_pipeline.storage.http_put.options import HttpPutOptions
from export_pipeline.storage.options import read_options
from export_pipeline.storage.s3.options import S3Options
from export_pipeline.storage.sftp.options import SftpOptions
from export_pipeline.storage.swift.options import SwiftOptions
from export_pipeline.vendors.cloudconvert.delivery import in_folder, read_loan
from export_pipeline.vendors.cloudconvert.operations import EXPORTS
from export_pipeline.vendors.placement import Loan

TASK = "73df1e16-fd8b-47a1-a156-f197babde91a"
ARGUMENTS: dict[str, dict[str, Any]] = {
    "export/url": {"inline": True, "archive_multiple_files": True},
    "export/s3": {
        "bucket": "b",
        "region": "eu-central-1",
        "endpoint": "https://s3.example.com",
        "key": "a/myfile-%d.pdf",
        "access_key_id": "AKXXXXXXXXXXXX",
        "secret_access_key": "a-secret-key",
        "session_token": "a-session-token",
        "acl": "bucket-owner-full-control",
        "cache_control": "max-age=172800",
        "content_disposition": "attachment",
        "content_type": "application/pdf",
        "metadata": {"x-amz-meta-some-key": "data"},
        "server_side_encryption": "aws:kms",
        "tagging": {"team": "research"},
    },
    "export/azure/blob": {
        "storage_account": "s",
        "sas_token": "a-sas-token",
        "container": "c",
        "blob": "a/myfile-%d.pdf",
        "metadata": {"key": "data"},
    },
    "export/google-cloud-storage": {
        "project_id": "api-project-1",
        "bucket": "b",
        "client_email": "x@api-project-1.iam.gserviceaccount.com",
        "private_key": "-----BEGIN PRIVATE KEY-----",
        "file": "a/myfile.pdf",
    },
    "export/openstack": {
        "auth_url": "https://auth.cloud.ovh.net",
        "username": "test",
        "password": "a-password",
        "region": "DE",
        "tenant_name": "t",
        "container": "c",
        "file": "path/myfile.ext",
    },
    "export/sftp": {
        "host": "myserver.com",
        "port": 2222,
        "username": "test",
        "private_key": "a-private-key",
        "file": "path/myfile.ext",
    },
    "export/upload": {
        "url": "https://host/put?X-Amz-Signature=1",
        "headers": {"X-Token": "t0k3n-1"},
    },
}
SECRETS = {
    "export/s3": {"a-secret-key", "a-session-token"},
    "export/azure/blob": {"a-sas-token"},
    "export/google-cloud-storage": {"-----BEGIN PRIVATE KEY-----"},
    "export/openstack": {"a-password"},
    "export/sftp": {"a-private-key"},
    "export/upload": {"https://host/put?X-Amz-Signature=1", "t0k3n-1"},
}
SEVERAL = [
    ("export/s3", "key", "key_prefix", True),
    ("export/azure/blob", "blob", "blob_prefix", True),
    ("export/google-cloud-storage", "file", "file_prefix", False),
    ("export/openstack", "file", "file_prefix", False),
    ("export/sftp", "file", "path", False),
]


def export(operation: str, **changes: Any) -> Any:
    given = {**ARGUMENTS[operation], "input": TASK, **changes}
    told = {name: value for name, value in given.items() if value is not None}
    return EXPORTS[operation].model_validate(told)


@pytest.mark.parametrize("operation", ARGUMENTS)
@pytest.mark.parametrize("task", [TASK, [TASK, "another"]])
def test_every_argument_is_sent_as_the_seed_names_it(operation: str, task: object) -> None:
    made = export(operation, input=task)
    assert made.arguments() == {"input": task, **ARGUMENTS[operation]}
    assert made.to_task() == {"operation": operation, **made.arguments()}


@pytest.mark.parametrize("operation", ARGUMENTS)
def test_what_is_secret_is_known_and_never_shown(operation: str) -> None:
    made = export(operation)
    assert set(made.secrets) == SECRETS.get(operation, set())
    assert not [secret for secret in made.secrets if secret in f"{made!r} {made}"]


@pytest.mark.parametrize(
    ("operation", "changes", "named"),
    [
        ("export/url", {"input": ""}, "input"),
        ("export/url", {"input": []}, "input"),
        ("export/url", {"inlined": True}, "inlined"),
        ("export/s3", {"bucket": None}, "bucket"),
        ("export/s3", {"region": None}, "region"),
        ("export/s3", {"access_key_id": None}, "access_key_id"),
        ("export/s3", {"secret_access_key": None}, "secret_access_key"),
        ("export/s3", {"acl": "public"}, "acl"),
        ("export/s3", {"key_prefix": "a/"}, "key or key_prefix, not both"),
        ("export/azure/blob", {"container": None}, "container"),
        ("export/azure/blob", {"sas_token": None}, "storage_access_key or sas_token"),
        ("export/azure/blob", {"storage_access_key": "k"}, "storage_access_key or sas_token"),
        ("export/google-cloud-storage", {"private_key": None}, "private_key"),
        ("export/google-cloud-storage", {"project_id": ""}, "project_id"),
        ("export/openstack", {"region": None}, "region"),
        ("export/sftp", {"private_key": None}, "password or private_key"),
        ("export/sftp", {"password": "p"}, "password or private_key"),
        ("export/sftp", {"port": 65_536}, "port"),
        ("export/upload", {"url": None}, "url"),
    ],
)
def test_what_the_vendor_would_refuse_is_named(
    operation: str, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError, match=named) as caught:
        export(operation, **changes)
    assert not [one for one in SECRETS.get(operation, ()) if one in str(caught.value)]


@pytest.mark.parametrize("number", ["%d", "%03d", "%5d"])
@pytest.mark.parametrize(("operation", "name", "prefix", "numbers"), SEVERAL)
def test_a_folder_in_whose_name_the_vendor_would_put_a_number_is_refused(
    operation: str, name: str, prefix: str, numbers: bool, number: str
) -> None:
    arguments = {**ARGUMENTS[operation], name: f"team-{number}/.incoming/order/files/a.txt"}
    if not numbers:
        assert read_loan(Loan("key", operation, arguments), TASK).name == arguments[name]
        return
    with pytest.raises(ConfigError, match=f"{name}: CloudConvert puts a number for {number},"):
        read_loan(Loan("key", operation, arguments), TASK)


@pytest.mark.parametrize(("operation", "name", "prefix", "numbers"), SEVERAL)
def test_a_name_becomes_the_prefix_of_its_folder(
    operation: str, name: str, prefix: str, numbers: bool
) -> None:
    moved = in_folder(export(operation, **{name: ".incoming/order/files/a.txt"}))
    told = moved.to_task()
    assert told[prefix] == ".incoming/order/files/"
    assert name not in told
    assert set(moved.secrets) == SECRETS[operation]


def lent() -> dict[str, Any]:
    """What each store lends, from the variables that are set for it."""
    key = ".incoming/order/files/a.txt"
    begin = "EXPORT_CLOUDCONVERT_"
    s3 = {f"{begin}S3_ACCESS_KEY_ID": "AK", f"{begin}S3_SECRET_ACCESS_KEY": "s"}
    azure = {f"{begin}AZURE_SAS_TOKEN": "sv=2024&sp=cw&se=2030-01-01&sr=c&sig=abc"}
    gcs = {
        f"{begin}GCS_PROJECT_ID": "p",
        f"{begin}GCS_CLIENT_EMAIL": "e@x",
        f"{begin}GCS_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n",
    }
    swift = {
        "EXPORT_SWIFT_AUTH_URL": "https://auth",
        "EXPORT_SWIFT_USERNAME": "u",
        "EXPORT_SWIFT_PASSWORD": "p",
        "EXPORT_SWIFT_REGION": "DE",
        f"{begin}SWIFT_USERNAME": "cc",
        f"{begin}SWIFT_PASSWORD": "s",
    }
    sftp = {f"{begin}SFTP_USERNAME": "cc", f"{begin}SFTP_PASSWORD": "s"}
    http = {f"{begin}HTTP_HEADERS": '{"X-Key": "s"}', "EXPORT_HTTP_CREATE_ONLY": "true"}
    s3_options = read_options(S3Options, {**s3, "EXPORT_S3_REGION": "eu"})
    azure_place = Place("account", "c", "https://account.blob.core.windows.net")
    return {
        "export/s3": s3_options.cloudconvert("bucket", key),
        "export/azure/blob": read_options(AzureOptions, azure).cloudconvert(azure_place, key),
        "export/google-cloud-storage": read_options(GcsOptions, gcs).cloudconvert("bucket", key),
        "export/openstack": read_options(SwiftOptions, swift).cloudconvert("c", key),
        "export/sftp": read_options(SftpOptions, sftp).cloudconvert("host", 22, "/archive", key),
        "export/upload": read_options(HttpPutOptions, http).cloudconvert(f"https://host/{key}"),
    }


@pytest.mark.parametrize("operation", sorted(EXPORTS.keys() - {"export/url"}))
def test_what_every_store_lends_is_what_the_vendor_takes(operation: str) -> None:
    made = read_loan(Loan("key", operation, lent()[operation]), TASK)
    assert made.operation == operation
    assert (made.name or "").endswith(".incoming/order/files/a.txt")


def test_a_loan_that_the_vendor_would_refuse_says_which_argument() -> None:
    arguments = {**lent()["export/s3"], "region": "", "secret_access_key": "not-to-be-shown"}
    with pytest.raises(
        ConfigError, match="export/s3 cannot write into the store: region"
    ) as caught:
        read_loan(Loan("key", "export/s3", arguments), TASK)
    assert "not-to-be-shown" not in str(caught.value)
