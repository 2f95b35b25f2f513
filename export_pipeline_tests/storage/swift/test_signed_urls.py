"""Every TempURL for what it must refuse; the judge is Swift itself.

A TempURL binds verb, object and end, and no header. So three things that a signed URL of other
stores refuses are Swift's named exceptions, each with a test below: the condition may be left out,
other headers may be added, and an upload URL answers HEAD.
"""

import asyncio
import socket
import time
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import httpx
import pytest

from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline.storage.store import UploadTarget
from export_pipeline.storage.swift import tempurl
from export_pipeline.storage.swift.open import open_store
from export_pipeline.storage.swift.store import SwiftStore
from export_pipeline.storage.swift.tempurl import choose_digest, info_url, signature
from export_pipeline_tests.servers.swift import TEMPURL_KEY, Swift
from export_pipeline_tests.storage.conformance import keys, put, read

HOSTILE = ["a b/=2f.pdf", 'scan/b%2f;:"<x>|+&~/pdf', "scan/é€/.../x", "%41/?#"]


def opened(container: str, variables: Mapping[str, str], now: float | None = None) -> SwiftStore:
    clock = time.time if now is None else lambda: now
    return open_store(urlsplit(f"swift://{quote(container)}/p"), variables, now=clock)


def target_of(store: SwiftStore, key: str = "scan/report.pdf", seconds: float = 60) -> UploadTarget:
    target = store.sign_upload(key, seconds=seconds)
    assert target is not None
    return target


def send(target: UploadTarget, body: bytes = b"pushed", **changes: str | None) -> httpx.Response:
    headers = {
        **dict(target.headers),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    kept = {name: value for name, value in headers.items() if value is not None}
    return httpx.request(target.verb, target.url, headers=kept, content=body, timeout=60)


def test_verb_url_and_headers_are_all_that_a_vendor_needs(store: SwiftStore) -> None:
    target = target_of(store)
    assert (target.verb, target.headers) == ("PUT", (("if-none-match", "*"),))
    assert "temp_url_prefix" not in target.url
    assert send(target, content_type="application/vendor").status_code == 201
    assert asyncio.run(read(store, "scan/report.pdf")) == b"pushed"


def test_a_second_write_is_refused_and_leaves_the_first(store: SwiftStore) -> None:
    target = target_of(store)
    assert send(target, b"first").status_code == 201
    assert send(target, b"second").status_code == 412
    assert send(target_of(store), b"third").status_code == 412
    assert asyncio.run(read(store, "scan/report.pdf")) == b"first"


def test_named_exception_who_leaves_the_condition_out_replaces_the_object(
    store: SwiftStore,
) -> None:
    target = target_of(store)
    assert send(target, b"first").status_code == 201
    assert send(target, b"second", if_none_match=None).status_code == 201
    assert asyncio.run(read(store, "scan/report.pdf")) == b"second"


def test_named_exception_headers_may_be_added_but_none_opens_the_object_to_others(
    store: SwiftStore,
) -> None:
    added = {"x_object_meta_a": "b", "content_disposition": "inline", "x_container_read": ".r:*"}
    assert send(target_of(store), **added).status_code == 201
    url = target_of(store).url.partition("?")[0]
    assert httpx.get(url).status_code == 401


def test_named_exception_an_upload_url_answers_head(store: SwiftStore) -> None:
    target = target_of(store)
    asyncio.run(put(store, "scan/report.pdf", b"kept"))
    assert httpx.head(target.url).status_code == 200


@pytest.mark.parametrize("header", ["x_copy_from", "x_object_manifest", "x_symlink_target"])
def test_a_header_that_would_point_to_another_object_is_refused(
    store: SwiftStore, header: str
) -> None:
    asyncio.run(put(store, "other", b"secret"))
    refused = send(target_of(store), b"", **{header: "container/p/other"})
    assert refused.status_code == 400
    assert asyncio.run(keys(store)) == ["other"]


@pytest.mark.parametrize("other", ["scan/other.pdf", "scan/report.pdf/below", "other"])
def test_another_object_cannot_be_written(store: SwiftStore, other: str) -> None:
    target = target_of(store)
    url = target.url.replace("/scan/report.pdf?", f"/{other}?")
    assert url != target.url
    assert send(UploadTarget("PUT", url, target.headers)).status_code == 401
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize("verb", ["GET", "DELETE", "POST"])
def test_an_upload_url_has_no_other_verb(store: SwiftStore, verb: str) -> None:
    target = target_of(store)
    asyncio.run(put(store, "scan/report.pdf", b"kept"))
    assert send(UploadTarget(verb, target.url, target.headers)).status_code == 401
    assert asyncio.run(read(store, "scan/report.pdf")) == b"kept"


def test_a_url_that_has_ended_or_was_given_more_time_is_refused(
    swift: Swift, container: str
) -> None:
    past = opened(container, swift.variables(), now=time.time() - 61)
    target = target_of(past)
    assert send(target).status_code == 401
    end = int(target.url.rpartition("=")[2])
    longer = target.url.replace(f"temp_url_expires={end}", f"temp_url_expires={end + 3_600}")
    assert send(UploadTarget("PUT", longer, target.headers)).status_code == 401


def test_a_signature_of_another_key_is_refused(swift: Swift, container: str) -> None:
    other = swift.variables() | {"EXPORT_SWIFT_TEMPURL_KEY": "another key"}
    assert send(target_of(opened(container, other))).status_code == 401


def test_the_key_may_be_the_accounts(swift: Swift, container: str) -> None:
    headers = {"X-Account-Meta-Temp-URL-Key": "key of the account"}
    swift.client.post(swift.url, headers=headers).raise_for_status()
    other = swift.variables() | {"EXPORT_SWIFT_TEMPURL_KEY": "key of the account"}
    assert send(target_of(opened(container, other))).status_code == 201


@pytest.mark.parametrize("key", HOSTILE)
def test_any_key_can_be_signed(store: SwiftStore, key: str) -> None:
    assert send(target_of(store, key)).status_code == 201
    assert asyncio.run(keys(store)) == [key]
    url = store.sign_download(key, seconds=60)
    assert url is not None
    assert httpx.get(url).content == b"pushed"


def test_a_download_url_reads_this_object_and_nothing_else(
    swift: Swift, store: SwiftStore, container: str
) -> None:
    asyncio.run(put(store, "a b/=2f.pdf", b"report"))
    asyncio.run(put(store, "other", b"secret"))
    url = store.sign_download("a b/=2f.pdf", seconds=60)
    assert url is not None
    assert httpx.get(url).content == b"report"
    assert httpx.put(url, content=b"x").status_code == 401
    assert httpx.delete(url).status_code == 401
    assert httpx.get(url.replace("/a%20b/%3D2f.pdf?", "/other?")).status_code == 401
    past = opened(container, swift.variables(), now=time.time() - 61)
    assert httpx.get(past.sign_download("other", seconds=60) or "").status_code == 401


def test_a_large_object_is_read_by_a_url_of_the_containers_key(
    store: SwiftStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export_pipeline.storage.swift.segments.SEGMENT_BYTES", 1_000)
    asyncio.run(put(store, "large", b"0123456789" * 250))
    assert httpx.get(store.sign_download("large", seconds=60) or "").content == b"0123456789" * 250


def test_a_url_can_be_signed_inside_an_event_loop_and_asks_only_once(
    swift: Swift, store: SwiftStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> UploadTarget:
        return target_of(store, "a")

    assert send(asyncio.run(scenario())).status_code == 201
    monkeypatch.setattr(tempurl, "WAIT_SECONDS", 0.0)
    assert send(target_of(store, "b")).status_code == 201


def test_a_keystone_that_does_not_answer_holds_a_signature_up_for_a_bounded_time(
    swift: Swift, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempurl, "WAIT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = opened(container, swift.variables() | {"EXPORT_SWIFT_AUTH_URL": url})
        with pytest.raises(StoreUnavailable, match=r"did not answer in 0\.2 seconds"):
            store.sign_upload("a", seconds=60)


def test_a_cluster_that_takes_only_sha1_gets_it(swift: Swift, container: str) -> None:
    ends = int(time.time()) + 60
    url = swift.address(container, "old")
    query = signature(TEMPURL_KEY.encode(), "sha1", "PUT", url, ends)
    assert httpx.put(f"{url}?{query}", content=b"x").status_code == 201


@pytest.mark.parametrize(
    ("info", "digest"),
    [
        (None, "sha256"),
        ({"tempurl": {"allowed_digests": ["sha1", "sha256", "sha512"]}}, "sha256"),
        ({"tempurl": {"allowed_digests": ["sha1"]}}, "sha1"),
        ({"tempurl": {"methods": ["PUT"]}}, "sha1"),
    ],
)
def test_the_digest_is_the_best_that_the_cluster_takes(
    info: dict[str, dict[str, list[str]]] | None, digest: str
) -> None:
    assert choose_digest(info, "https://swift/v1/AUTH_1") == digest


@pytest.mark.parametrize("info", [{}, {"tempurl": {"allowed_digests": ["sha512"]}}])
def test_a_cluster_that_takes_no_signature_of_ours_is_told(
    info: dict[str, dict[str, list[str]]],
) -> None:
    with pytest.raises(StoreError, match=r"takes no TempURL.*unset EXPORT_SWIFT_TEMPURL_KEY"):
        choose_digest(info, "https://swift/v1/AUTH_1")


@pytest.mark.parametrize(
    ("account", "info"),
    [
        ("https://swift/v1/AUTH_1", "https://swift/info"),
        ("https://host/swift/v1", "https://host/swift/info"),
    ],
    ids=["Swift", "Ceph"],
)
def test_what_a_cluster_can_do_is_asked_beside_its_version(account: str, info: str) -> None:
    assert info_url(account) == info


def test_a_signature_is_that_of_swifts_own_document() -> None:
    """The path is signed from `/v1/` on, whatever stands before it (Swift: "TempURL")."""
    url = "https://swift-cluster.example.com/v1/AUTH_account/container/object"
    query = signature(b"mykey", "sha256", "GET", url, 1512508563)
    document = "732fcac368abb10c78a4cbe95c3fab7f311584532bf779abd5074e13cbe8b88b"
    assert query == f"temp_url_sig={document}&temp_url_expires=1512508563"
    below = url.replace(".com/", ".com/swift/")
    assert signature(b"mykey", "sha256", "GET", below, 1512508563) == query


def test_without_a_key_nothing_is_signed(swift: Swift, container: str) -> None:
    store = opened(container, swift.variables() | {"EXPORT_SWIFT_TEMPURL_KEY": ""})
    assert not store.capabilities.signs_uploads
    assert store.capabilities.create_only
    assert store.sign_upload("a", seconds=60) is None
    assert store.sign_download("a", seconds=60) is None


def test_neither_url_nor_key_is_shown(store: SwiftStore) -> None:
    assert "temp_url_sig" not in repr(target_of(store))
