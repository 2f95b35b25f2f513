import asyncio
import gzip
import json
import os
from collections.abc import Callable

import httpx
import pytest

from export_pipeline.errors import AccessDenied, AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.gcs import session
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline.storage.open import open_store
from export_pipeline.storage.probe import probe
from export_pipeline.storage.store import pieces
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.servers.google import Google
from export_pipeline_tests.storage.conformance import (
    StoreConformance,
    chunked,
    keys,
    put,
    read,
    require_error_of_every_method,
)
from export_pipeline_tests.storage.memory import megabytes_needed

PART_BYTES = 1024**2
HOSTILE = [
    'a.b/=2e=2e=2f;:"<x>|',
    "a b/+&#?%2F%25='*~",
    "dots...and/.hidden/tail.",
    "é/日本語/\N{GRINNING FACE}",
    "a/acl",
    "o/rewriteTo/b/bucket/o/x",
]


class TestGcsStore(StoreConformance):
    part_bytes = session.PART_BYTES
    completes_one_of_several = False  # fake-gcs-server judges a copy's condition before it copies


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Make parts small, and return an object of two and a half of them."""
    monkeypatch.setattr(session, "PART_BYTES", PART_BYTES)
    return os.urandom(PART_BYTES * 5 // 2)


def test_an_object_in_parts_is_whole_checked_and_create_only(
    store: GcsStore, gcs: Gcs, bucket: str, small_parts: bytes
) -> None:
    async def scenario() -> None:
        stored = await store.put("large", chunked(small_parts))
        assert stored.size == len(small_parts)
        assert stored == await store.stat("large")
        assert (stored.checksum or "").startswith("md5:")
        with pytest.raises(AlreadyExists, match="large"):
            await store.put("large", chunked(small_parts[::-1]))
        assert await read(store, "large") == small_parts
        assert await read(store, "large", offset=PART_BYTES + 3) == small_parts[PART_BYTES + 3 :]

    asyncio.run(scenario())
    assert gcs.gate.sessions.under_way(bucket) == 0


@pytest.mark.parametrize("size", [PART_BYTES, PART_BYTES + 1, PART_BYTES * 2])
def test_an_object_of_whole_parts_is_whole(store: GcsStore, small_parts: bytes, size: int) -> None:
    async def scenario() -> None:
        await store.put("parts", chunked(small_parts[:size]), content_type="text/csv")
        assert await read(store, "parts") == small_parts[:size]

    asyncio.run(scenario())


def test_a_content_type_is_kept_and_copied(store: GcsStore, gcs: Gcs, small_parts: bytes) -> None:
    async def scenario() -> None:
        await store.put("small", pieces(b"a;b"), content_type="text/csv")
        await store.put("large", chunked(small_parts), content_type="text/csv")
        await store.copy("large", "copied")
        await put(store, "untyped")

    asyncio.run(scenario())
    bucket = store.url.split("/")[2]
    for key in ("small", "large", "copied"):
        assert gcs.describe(bucket, f"my archive/{key}")["contentType"] == "text/csv"
    kept = gcs.describe(bucket, "my archive/untyped")["contentType"]
    assert kept == "application/octet-stream"


def test_hostile_keys_are_names_like_any_other(store: GcsStore) -> None:
    async def scenario() -> None:
        for key in HOSTILE:
            await put(store, key, key.encode())
        assert await keys(store) == sorted(HOSTILE, key=str.encode)
        for key in HOSTILE:
            assert await read(store, key) == key.encode()
            assert await store.copy(key, f"copied/{key}") == await store.stat(f"copied/{key}")
            await store.delete(key)
            assert await store.stat(key) is None
        assert await read(store, f"copied/{HOSTILE[0]}") == HOSTILE[0].encode()

    asyncio.run(scenario())


def test_a_list_goes_over_many_pages(store: GcsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export_pipeline.storage.gcs.store.PAGE_OBJECTS", 7)
    wanted = [f"a/{number:02}+b c%2F&é" for number in range(50)]

    async def scenario() -> None:
        await asyncio.gather(*(put(store, key) for key in wanted))
        assert await keys(store) == wanted
        assert await keys(store, "a/1") == wanted[10:20]

    asyncio.run(scenario())


def test_an_object_has_the_md5_that_the_store_checked_also_in_a_list(store: GcsStore) -> None:
    async def scenario() -> None:
        stored = await put(store, "abc", b"abc")
        assert stored.checksum == "md5:900150983cd24fb0d6963f7d28e17f72"
        assert [found async for found in store.list()] == [stored]

    asyncio.run(scenario())


def test_what_a_vendor_sends_as_gzip_is_read_as_it_lies_there(store: GcsStore) -> None:
    """Google unpacks such an object for readers who do not say that they take gzip."""
    packed = gzip.compress(b"report " * 1_000)
    target = store.sign_upload("report.json", seconds=60)
    assert target is not None
    headers = {**dict(target.headers), "content-encoding": "gzip"}
    assert httpx.put(target.url, content=packed, headers=headers).status_code == 200
    assert asyncio.run(read(store, "report.json")) == packed
    assert asyncio.run(read(store, "report.json", offset=7)) == packed[7:]
    stat = asyncio.run(store.stat("report.json"))
    assert stat is not None
    assert stat.size == len(packed)


def test_a_sweep_has_nothing_to_take(store: GcsStore) -> None:
    asyncio.run(put(store, "kept"))
    assert asyncio.run(store.sweep(0.0, now=1e12)) == 0
    assert asyncio.run(keys(store)) == ["kept"]


def _of_another_key(google: Google) -> str:
    return google.key_file(private_key=json.loads(Google().key_file())["private_key"])


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (
            lambda _: {"EXPORT_GCS_ENDPOINT": "http://127.0.0.1:1"},
            StoreUnavailable,
            "127.0.0.1:1 gave no",
        ),
        (
            lambda google: {"EXPORT_GCS_KEY": _of_another_key(google)},
            AccessDenied,
            "Invalid JWT Signature.*EXPORT_GCS_KEY",
        ),
        (
            lambda google: {
                "EXPORT_GCS_KEY": google.key_file(token_uri="http://127.0.0.1:1/token")
            },
            StoreUnavailable,
            "token service gave no answer",
        ),
    ],
)
def test_a_mistake_in_the_settings_is_told_by_every_method(
    gcs: Gcs,
    bucket: str,
    wrong: Callable[[Google], dict[str, str]],
    error: type[StoreError],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("export_pipeline.storage.retries.ATTEMPTS", 1)
    store = open_store(f"gs://{bucket}", gcs.variables() | wrong(gcs.google))
    require_error_of_every_method(store, error, words, ("PRIVATE KEY", "token-"))


def test_a_missing_bucket_is_never_taken_for_a_missing_object(gcs: Gcs) -> None:
    store = open_store("gs://no-such-bucket/p", gcs.variables())
    require_error_of_every_method(
        store, StoreError, "'no-such-bucket'.*no such bucket: make it", ("PRIVATE KEY", "token-")
    )


def test_a_token_that_is_not_accepted_is_told_by_every_method(gcs: Gcs, store: GcsStore) -> None:
    asyncio.run(put(store, "before"))
    gcs.google.end_tokens()
    require_error_of_every_method(
        store,
        AccessDenied,
        "access token is not accepted.*EXPORT_GCS_KEY",
        ("PRIVATE KEY", "token-"),
    )


def test_a_probe_finds_every_step_works_and_leaves_nothing(store: GcsStore) -> None:
    async def scenario() -> None:
        steps = await probe(store)
        assert [(step.name, step.ok) for step in steps] == [
            ("write", True),
            ("read back", True),
            ("create-only", True),
            ("sign", True),
            ("signed upload", True),
            ("create-only by signed URL", True),
            ("delete", True),
        ]
        assert await keys(store) == []

    asyncio.run(scenario())


def test_a_large_stream_needs_little_memory(gcs: Gcs, bucket: str) -> None:
    assert megabytes_needed(f"gs://{bucket}", gcs.variables()) < 150
