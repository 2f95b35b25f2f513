"""export/s3 and import/s3 against SeaweedFS, which judges signatures as Amazon does."""

from typing import Any

import pytest

from export_pipeline.demo.seaweedfs import ADMIN, REGION
from export_pipeline_tests.sandbox.cloudconvert.api import HOSTILE_NAME, Api, Json
from export_pipeline_tests.sandbox.cloudconvert.stores.files import (
    EMPTY,
    HOSTILE,
    LETTER,
    brought,
    done,
    failed,
)
from export_pipeline_tests.sandbox.receiving import Receiver
from export_pipeline_tests.servers.seaweedfs import READER, SeaweedFS


@pytest.fixture
def given(seaweedfs: SeaweedFS) -> Json:
    return {
        "bucket": seaweedfs.new_bucket(),
        "region": REGION,
        "endpoint": seaweedfs.url,
        "access_key_id": ADMIN.key,
        "secret_access_key": ADMIN.secret,
    }


def stored(seaweedfs: SeaweedFS, given: Json) -> dict[str, bytes]:
    found = seaweedfs.client.list_objects_v2(Bucket=given["bucket"]).get("Contents", ())
    return {one["Key"]: read(seaweedfs, given, one["Key"])["Body"].read() for one in found}


def read(seaweedfs: SeaweedFS, given: Json, key: str) -> Any:
    return seaweedfs.client.get_object(Bucket=given["bucket"], Key=key)


def test_a_file_is_stored_by_its_key(api: Api, seaweedfs: SeaweedFS, given: Json) -> None:
    key = f"a b/=2e/{HOSTILE_NAME}"
    assert done(api.exported("export/s3", LETTER, **given, key=key)) == ["letter.txt"]
    assert stored(seaweedfs, given) == {key: b"Dear reader,\n"}
    assert read(seaweedfs, given, key)["ContentType"] == "text/plain"


@pytest.mark.parametrize(
    ("naming", "keys"),
    [
        ({}, ["letter.txt", HOSTILE_NAME, "empty.bin"]),
        ({"key_prefix": "in/x-"}, ["in/x-letter.txt", f"in/x-{HOSTILE_NAME}", "in/x-empty.bin"]),
        ({"key": "my-%d.txt"}, ["my-1.txt", "my-2.txt", "my-3.txt"]),
        ({"key": "%03d/x"}, ["001/x", "002/x", "003/x"]),
    ],
)
def test_several_files_are_numbered_or_keep_their_names(
    api: Api, seaweedfs: SeaweedFS, given: Json, naming: Json, keys: list[str]
) -> None:
    assert len(done(api.exported("export/s3", LETTER, HOSTILE, EMPTY, **given, **naming))) == 3
    bodies = [b"Dear reader,\n", b"Hostile.\n", b""]
    assert stored(seaweedfs, given) == dict(zip(keys, bodies, strict=True))


def test_without_a_number_the_last_of_several_stays(
    api: Api, seaweedfs: SeaweedFS, given: Json
) -> None:
    done(api.exported("export/s3", LETTER, HOSTILE, **given, key="one"))
    assert stored(seaweedfs, given) == {"one": b"Hostile.\n"}


def test_all_that_is_said_of_an_object_is_kept(api: Api, seaweedfs: SeaweedFS, given: Json) -> None:
    more = {
        "acl": "public-read",
        "cache_control": "max-age=172800",
        "content_disposition": "inline",
        "content_type": "application/x-mine",
        "metadata": {"x-amz-meta-some-key": "data", "other": "more"},
        "server_side_encryption": "AES256",
        "tagging": {"team": "a&b=c", "kind": "letter"},
    }
    done(api.exported("export/s3", LETTER, **given, key="k", **more))
    found = read(seaweedfs, given, "k")
    assert found["Body"].read() == b"Dear reader,\n"
    assert (found["CacheControl"], found["ContentDisposition"], found["ContentType"]) == (
        *("max-age=172800", "inline", "application/x-mine"),
    )
    assert found["Metadata"] == {"some-key": "data", "other": "more"}
    assert found["ServerSideEncryption"] == "AES256"
    tags = seaweedfs.client.get_object_tagging(Bucket=given["bucket"], Key="k")["TagSet"]
    assert {one["Key"]: one["Value"] for one in tags} == more["tagging"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
        ({"access_key_id": "wrong"}, "InvalidAccessKeyId"),
        ({"access_key_id": READER.key, "secret_access_key": READER.secret}, "AccessDenied"),
        ({"bucket": "no-such-bucket"}, "NoSuchBucket"),
        ({"endpoint": "http://127.0.0.1:1"}, "127.0.0.1:1"),
        ({"endpoint": "nowhere"}, "nowhere"),
    ],
)
def test_what_the_store_refuses_fails_the_task_with_its_reason(
    api: Api, given: Json, changes: Json, reason: str
) -> None:
    message = failed(api.exported("export/s3", LETTER, **{**given, **changes}))
    assert reason in message
    assert given["secret_access_key"] not in message


def test_what_seaweedfs_cannot_show_is_sent_all_the_same(
    api: Api, receiver: Receiver, given: Json
) -> None:
    more = {"acl": "authenticated-read", "server_side_encryption": "aws:kms", "session_token": "t"}
    given["endpoint"] = receiver.url
    done(api.exported("export/s3", LETTER, **given, key="k", **more))
    done(api.exported("export/s3", LETTER, **given, key="k", acl="private"))
    first, second = (one.headers for one in receiver.requests)
    assert first["x-amz-acl"] == "authenticated-read"
    assert first["x-amz-server-side-encryption"] == "aws:kms"
    assert first["x-amz-security-token"] == "t"
    assert "x-amz-acl" not in second


def test_files_are_brought_by_key_and_by_prefix(
    api: Api, seaweedfs: SeaweedFS, given: Json
) -> None:
    for key in ("in/a.txt", "in/b.txt", "c.txt"):
        seaweedfs.client.put_object(Bucket=given["bucket"], Key=key, Body=key.encode())
    assert brought(api, "import/s3", **given, key="in/a.txt") == {"a.txt": b"in/a.txt"}
    named = brought(api, "import/s3", **given, key="c.txt", filename="x.txt")
    assert named == {"x.txt": b"c.txt"}
    assert brought(api, "import/s3", **given, key_prefix="in/") == {
        "a.txt": b"in/a.txt",
        "b.txt": b"in/b.txt",
    }
