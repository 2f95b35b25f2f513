"""Every signed URL for what it must refuse; the judge is a server that verifies signatures."""

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
import pytest

from export_pipeline.errors import StoreError
from export_pipeline.storage.s3.open import open_store
from export_pipeline.storage.s3.store import S3Store
from export_pipeline.storage.store import UploadTarget, pieces
from export_pipeline_tests.servers.seaweedfs import SeaweedFS
from export_pipeline_tests.storage.conformance import keys, put, read

EVERYTHING = {
    "EXPORT_S3_ACL": "bucket-owner-full-control",
    "EXPORT_S3_CACHE_CONTROL": "max-age=60",
    "EXPORT_S3_CONTENT_DISPOSITION": "attachment",
    "EXPORT_S3_CONTENT_TYPE": "application/x-report",
    "EXPORT_S3_METADATA": '{"team": "research"}',
    "EXPORT_S3_SERVER_SIDE_ENCRYPTION": "AES256",
    "EXPORT_S3_TAGGING": '{"kept for": "10 years"}',
}


def opened(bucket: str, variables: Mapping[str, str], now: float | None = None) -> S3Store:
    clock = time.time if now is None else lambda: now
    return open_store(urlsplit(f"s3://{bucket}/p"), variables, now=clock)


def target_of(store: S3Store, key: str = "scan/report.pdf", seconds: float = 60) -> UploadTarget:
    target = store.sign_upload(key, seconds=seconds)
    assert target is not None
    return target


def send(target: UploadTarget, body: bytes = b"pushed", **changes: str | None) -> httpx.Response:
    headers = {
        **dict(target.headers),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    kept = {name: value for name, value in headers.items() if value is not None}
    return httpx.request(target.verb, target.url, headers=kept, content=body)


def test_verb_url_and_headers_are_all_that_a_vendor_needs(store: S3Store) -> None:
    target = target_of(store)
    assert (target.verb, target.headers) == ("PUT", (("if-none-match", "*"),))
    assert send(target, content_type="application/vendor").status_code == 200
    assert asyncio.run(read(store, "scan/report.pdf")) == b"pushed"


def test_a_second_write_is_refused_and_leaves_the_first(store: S3Store) -> None:
    target = target_of(store)
    assert send(target, b"first").status_code == 200
    assert send(target, b"second").status_code == 412
    assert send(target_of(store), b"third").status_code == 412
    assert asyncio.run(read(store, "scan/report.pdf")) == b"first"


def test_the_condition_can_be_neither_left_out_nor_changed(store: S3Store) -> None:
    target = target_of(store)
    assert send(target, if_none_match=None).status_code == 403
    assert send(target, if_none_match='"other"').status_code == 403
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize("header", ["x_amz_acl", "x_amz_meta_a", "x_amz_tagging"])
def test_a_header_that_changes_the_object_cannot_be_added(store: S3Store, header: str) -> None:
    assert send(target_of(store), **{header: "public-read"}).status_code == 403


@pytest.mark.parametrize("other", ["scan/other.pdf", "scan/report.pdf/below", "other"])
def test_another_object_cannot_be_written(store: S3Store, other: str) -> None:
    target = target_of(store)
    url = target.url.replace("/scan/report.pdf?", f"/{other}?")
    assert url != target.url
    assert send(UploadTarget("PUT", url, target.headers)).status_code == 403


@pytest.mark.parametrize("verb", ["GET", "HEAD", "DELETE", "POST"])
def test_an_upload_url_has_no_other_verb(store: S3Store, verb: str) -> None:
    target = target_of(store)
    asyncio.run(put(store, "scan/report.pdf", b"kept"))
    assert send(UploadTarget(verb, target.url, target.headers)).status_code in {403, 405}
    assert asyncio.run(read(store, "scan/report.pdf")) == b"kept"


@pytest.mark.parametrize("part", ["X-Amz-Expires=60", "X-Amz-SignedHeaders=host%3Bif-none-match"])
def test_an_altered_query_is_refused(store: S3Store, part: str) -> None:
    target = target_of(store)
    assert part in target.url
    altered = {"X-Amz-Expires=60": "X-Amz-Expires=600"}.get(part, "X-Amz-SignedHeaders=host")
    url = target.url.replace(part, altered)
    assert send(UploadTarget("PUT", url, target.headers), if_none_match=None).status_code == 403


def test_an_expired_url_is_refused(seaweedfs: SeaweedFS, bucket: str) -> None:
    store = opened(bucket, seaweedfs.variables(), now=time.time() - 61)
    assert send(target_of(store, seconds=60)).status_code == 403
    assert send(target_of(store, seconds=600)).status_code == 200


def test_a_download_url_reads_one_object_and_does_nothing_else(
    seaweedfs: SeaweedFS, bucket: str
) -> None:
    store = opened(bucket, seaweedfs.variables())
    asyncio.run(put(store, "a b/=2f.pdf", b"report"))
    asyncio.run(put(store, "other", b"secret"))
    url = store.sign_download("a b/=2f.pdf", seconds=60)
    assert url is not None
    assert httpx.get(url).content == b"report"
    assert httpx.put(url, content=b"x").status_code == 403
    assert httpx.delete(url).status_code == 403
    assert httpx.get(url.replace("/a%20b/%3D2f.pdf?", "/other?")).status_code == 403
    past = opened(bucket, seaweedfs.variables(), now=time.time() - 61)
    assert httpx.get(past.sign_download("other", seconds=60) or "").status_code == 403


def test_what_is_set_is_signed_handed_out_and_kept(seaweedfs: SeaweedFS, bucket: str) -> None:
    store = opened(bucket, {**seaweedfs.variables(), **EVERYTHING})
    target = target_of(store, "pushed")
    for name, _ in target.headers:
        assert send(target, **{name: None}).status_code == 403, name
        assert send(target, **{name: "other"}).status_code == 403, name
    assert send(target).status_code == 200
    asyncio.run(store.put("written", pieces(b"x"), content_type="text/csv"))
    for name in ("pushed", "written"):
        kept = seaweedfs.client.head_object(Bucket=bucket, Key=f"p/{name}")
        assert kept["ContentType"] == "application/x-report"
        assert kept["CacheControl"] == "max-age=60"
        assert kept["ContentDisposition"] == "attachment"
        assert kept["Metadata"] == {"team": "research"}
        assert kept["ServerSideEncryption"] == "AES256"
        tags = seaweedfs.client.get_object_tagging(Bucket=bucket, Key=f"p/{name}")["TagSet"]
        assert tags == [{"Key": "kept for", "Value": "10 years"}]


def test_only_the_type_is_left_to_those_that_may_send_their_own(
    seaweedfs: SeaweedFS, bucket: str
) -> None:
    store = opened(bucket, {**seaweedfs.variables(), **EVERYTHING})
    target = store.sign_upload("pushed", seconds=60, typed=False)
    assert target is not None
    assert dict(target.headers)["content-type"] == "application/x-report"
    for name, _ in target.headers:
        if name != "content-type":
            assert send(target, **{name: "other"}).status_code == 403, name
    assert send(target, **{"content-type": "application/pdf"}).status_code == 200
    kept = seaweedfs.client.head_object(Bucket=bucket, Key="p/pushed")
    assert (kept["ContentType"], kept["CacheControl"]) == ("application/pdf", "max-age=60")


def test_no_url_lives_longer_than_the_limit_or_the_credentials_that_sign_it() -> None:
    session = {
        "EXPORT_S3_ACCESS_KEY_ID": "AK",
        "EXPORT_S3_SECRET_ACCESS_KEY": "secret",
        "EXPORT_S3_SESSION_TOKEN": "token",
        "EXPORT_S3_SESSION_EXPIRES": "1970-01-01T01:00:00Z",
    }
    store = opened("bucket", session, now=0)
    assert "X-Amz-Security-Token=token" in target_of(store, seconds=3600).url
    with pytest.raises(StoreError, match=r"credentials end before.*EXPORT_ORDER_DEADLINE"):
        store.sign_upload("a", seconds=3601)
    with pytest.raises(StoreError, match="604800"):
        store.sign_download("a", seconds=604_801)


def test_a_session_token_whose_end_is_unknown_signs_nothing() -> None:
    session = {
        "EXPORT_S3_ACCESS_KEY_ID": "AK",
        "EXPORT_S3_SECRET_ACCESS_KEY": "secret",
        "EXPORT_S3_SESSION_TOKEN": "token",
    }
    store = opened("bucket", session)
    assert not store.capabilities.signs_uploads
    assert store.sign_upload("a", seconds=1) is None
    assert store.sign_download("a", seconds=1) is None


def test_neither_url_nor_headers_are_shown(store: S3Store) -> None:
    assert "Signature" not in repr(target_of(store))
