"""Every signed URL for what it must refuse; the judge is the gate, held to Google's own vectors."""

import asyncio
import time
from urllib.parse import urlsplit

import httpx
import pytest

from export_pipeline.errors import StoreError
from export_pipeline.storage.gcs.open import open_store
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline.storage.store import UploadTarget
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.storage.conformance import keys, put, read

HOSTILE = 'a.b/=2e=2f;:"<x>| é+&#?%2F'
REFUSED = {400, 403}


def opened(gcs: Gcs, bucket: str, now: float | None = None) -> GcsStore:
    clock = time.time if now is None else lambda: now
    return open_store(urlsplit(f"gs://{bucket}/p"), gcs.variables(), now=clock)


def target_of(store: GcsStore, key: str = "scan/report.pdf", seconds: float = 60) -> UploadTarget:
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


def test_verb_url_and_headers_are_all_that_a_vendor_needs(store: GcsStore, gcs: Gcs) -> None:
    target = target_of(store)
    assert (target.verb, target.headers) == ("PUT", (("x-goog-if-generation-match", "0"),))
    assert send(target, content_type="application/vendor").status_code == 200
    assert asyncio.run(read(store, "scan/report.pdf")) == b"pushed"
    bucket = store.url.split("/")[2]
    kept = gcs.describe(bucket, "my archive/scan/report.pdf")["contentType"]
    assert kept == "application/vendor"


def test_a_hostile_key_is_pushed_to_and_read_by_its_own_name(store: GcsStore) -> None:
    assert send(target_of(store, HOSTILE)).status_code == 200
    assert asyncio.run(keys(store)) == [HOSTILE]
    assert httpx.get(store.sign_download(HOSTILE, seconds=60) or "").content == b"pushed"


def test_a_second_write_is_refused_and_leaves_the_first(store: GcsStore) -> None:
    target = target_of(store)
    assert send(target, b"first").status_code == 200
    assert send(target, b"second").status_code == 412
    assert send(target_of(store), b"third").status_code == 412
    assert asyncio.run(read(store, "scan/report.pdf")) == b"first"


def test_of_many_pushes_at_once_one_is_kept(store: GcsStore) -> None:
    target = target_of(store)

    async def scenario() -> list[int]:
        async with httpx.AsyncClient() as client:
            sent = [
                client.put(target.url, headers=dict(target.headers), content=bytes([number]))
                for number in range(8)
            ]
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    assert sorted(asyncio.run(scenario())) == [200] + [412] * 7


def test_the_condition_can_be_neither_left_out_nor_changed(store: GcsStore) -> None:
    target = target_of(store)
    assert send(target, x_goog_if_generation_match=None).status_code in REFUSED
    assert send(target, x_goog_if_generation_match="1").status_code in REFUSED
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize(
    "header", ["x_goog_acl", "x_goog_meta_a", "x_goog_storage_class", "x_amz_acl"]
)
def test_a_header_that_changes_the_object_cannot_be_added(store: GcsStore, header: str) -> None:
    assert send(target_of(store), **{header: "public-read"}).status_code in REFUSED
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize("other", ["scan/other.pdf", "scan/report.pdf/below", "other"])
def test_another_object_cannot_be_written(store: GcsStore, other: str) -> None:
    target = target_of(store)
    url = target.url.replace("/scan/report.pdf?", f"/{other}?")
    assert url != target.url
    assert send(UploadTarget("PUT", url, target.headers)).status_code == 403


@pytest.mark.parametrize("verb", ["GET", "HEAD", "DELETE", "POST"])
def test_an_upload_url_has_no_other_verb(store: GcsStore, verb: str) -> None:
    target = target_of(store)
    asyncio.run(put(store, "scan/report.pdf", b"kept"))
    assert send(UploadTarget(verb, target.url, target.headers)).status_code == 403
    assert asyncio.run(read(store, "scan/report.pdf")) == b"kept"


@pytest.mark.parametrize(
    ("part", "altered"),
    [
        ("X-Goog-Expires=60", "X-Goog-Expires=600"),
        ("host%3Bx-goog-if-generation-match", "host"),
        ("X-Goog-Signature=", "X-Goog-Signature=0"),
        ("archive%40", "other%40"),
        ("GOOG4-RSA-SHA256", "GOOG4-HMAC-SHA256"),
    ],
)
def test_an_altered_query_is_refused(store: GcsStore, part: str, altered: str) -> None:
    target = target_of(store)
    assert part in target.url
    url = target.url.replace(part, altered)
    assert send(UploadTarget("PUT", url, target.headers)).status_code in REFUSED
    bare = UploadTarget("PUT", url)
    assert send(bare).status_code in REFUSED
    assert asyncio.run(keys(store)) == []


def test_an_expired_url_is_refused(gcs: Gcs, bucket: str) -> None:
    store = opened(gcs, bucket, now=time.time() - 62)
    assert send(target_of(store, seconds=60)).status_code == 400
    assert send(target_of(store, seconds=600)).status_code == 200


def test_a_download_url_reads_one_object_and_does_nothing_else(gcs: Gcs, bucket: str) -> None:
    store = opened(gcs, bucket)
    asyncio.run(put(store, "a b/=2f.pdf", b"report"))
    asyncio.run(put(store, "other", b"secret"))
    url = store.sign_download("a b/=2f.pdf", seconds=60)
    assert url is not None
    assert httpx.get(url).content == b"report"
    assert httpx.put(url, content=b"x").status_code == 403
    assert httpx.delete(url).status_code == 403
    assert httpx.get(url.replace("/a%20b/%3D2f.pdf?", "/other?")).status_code == 403
    past = opened(gcs, bucket, now=time.time() - 62)
    assert httpx.get(past.sign_download("other", seconds=60) or "").status_code == 400


def test_no_url_lives_longer_than_the_limit(store: GcsStore) -> None:
    assert store.sign_upload("a", seconds=604_800) is not None
    with pytest.raises(StoreError, match=r"604801 seconds.*604800.*EXPORT_ORDER_DEADLINE"):
        store.sign_upload("a", seconds=604_801)
    with pytest.raises(StoreError, match="604800"):
        store.sign_download("a", seconds=604_801)


def test_neither_url_nor_headers_are_shown(store: GcsStore) -> None:
    assert "Signature" not in repr(target_of(store))
