import asyncio
import os
import time

import pytest

from export_pipeline.demo.seaweedfs import ADMIN
from export_pipeline.errors import AccessDenied, AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.open import open_store
from export_pipeline.storage.probe import probe
from export_pipeline.storage.s3 import multipart
from export_pipeline.storage.s3.store import S3Store
from export_pipeline_tests.servers.seaweedfs import READER, SeaweedFS
from export_pipeline_tests.storage.conformance import (
    StoreConformance,
    chunked,
    keys,
    put,
    read,
    require_error_of_every_method,
)
from export_pipeline_tests.storage.memory import megabytes_needed

PART_BYTES = 5 * 1024**2
"""The smallest part that S3 takes."""


class TestS3Store(StoreConformance):
    part_bytes = multipart.PART_BYTES
    lists_in_order = False  # SeaweedFS lists a folder by its name, without the slash
    completes_one_of_several = False  # it looks for an object before it joins the parts, not after


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Make parts of the least size, and return an object of two and a half of them."""
    monkeypatch.setattr(multipart, "PART_BYTES", PART_BYTES)
    return os.urandom(PART_BYTES * 5 // 2)


def uploads(seaweedfs: SeaweedFS, bucket: str) -> list[str]:
    found = seaweedfs.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [upload["Key"] for upload in found]


def test_an_object_in_parts_is_whole_checked_and_create_only(
    store: S3Store, seaweedfs: SeaweedFS, bucket: str, small_parts: bytes
) -> None:
    async def scenario() -> None:
        stored = await store.put("large", chunked(small_parts))
        assert stored.size == len(small_parts)
        assert stored == await store.stat("large")
        assert stored.checksum is not None
        assert stored.checksum.startswith("sha256:")
        assert stored.checksum.endswith("-3")
        with pytest.raises(AlreadyExists, match="large"):
            await store.put("large", chunked(small_parts[::-1]))
        assert await read(store, "large") == small_parts
        assert await read(store, "large", offset=PART_BYTES + 3) == small_parts[PART_BYTES + 3 :]

    asyncio.run(scenario())
    assert uploads(seaweedfs, bucket) == []


def test_a_stream_of_exactly_one_part_is_one_put(store: S3Store, small_parts: bytes) -> None:
    async def scenario() -> None:
        one = small_parts[:PART_BYTES]
        stored = await store.put("one", chunked(one))
        assert (stored.checksum or "").endswith("-1") is False
        two = await store.put("two", chunked(small_parts[: PART_BYTES + 1]))
        assert (two.checksum or "").endswith("-2")
        assert await read(store, "one") == one

    asyncio.run(scenario())


def test_a_sweep_takes_what_crashed_writers_left_and_spares_running_uploads(
    store: S3Store, seaweedfs: SeaweedFS, bucket: str
) -> None:
    for key in ("my archive/left", "elsewhere/left"):
        seaweedfs.client.create_multipart_upload(Bucket=bucket, Key=key)
    assert asyncio.run(store.sweep(3_600, now=time.time())) == 0
    assert asyncio.run(store.sweep(3_600, now=time.time() + 7_200)) == 1
    assert uploads(seaweedfs, bucket) == ["elsewhere/left"]


def test_a_stream_over_the_most_parts_is_refused_in_words(
    store: S3Store,
    seaweedfs: SeaweedFS,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    small_parts: bytes,
) -> None:
    monkeypatch.setattr(multipart, "MAX_PARTS", 2)
    with pytest.raises(StoreError, match="GiB, the most this store writes"):
        asyncio.run(store.put("too-large", chunked(small_parts)))
    assert uploads(seaweedfs, bucket) == []


def test_a_large_object_is_copied_in_parts_by_the_store(
    store: S3Store, monkeypatch: pytest.MonkeyPatch, small_parts: bytes
) -> None:
    monkeypatch.setattr(multipart, "COPY_PART_BYTES", PART_BYTES)

    async def scenario() -> None:
        await store.put("source", chunked(small_parts), content_type="text/csv")
        copied = await store.copy("source", "deep/target")
        assert copied.size == len(small_parts)
        assert await read(store, "deep/target") == small_parts
        await put(store, "empty", b"")
        assert (await store.copy("empty", "empty-too")).size == 0

    asyncio.run(scenario())


def test_a_list_goes_over_many_pages(store: S3Store) -> None:
    async def scenario() -> None:
        gate = asyncio.Semaphore(32)
        wanted = [f"a/{number:04}+b c%2F&é" for number in range(1_100)]

        async def one(key: str) -> None:
            async with gate:
                await put(store, key)

        await asyncio.gather(*map(one, wanted))
        assert await keys(store) == wanted
        assert await keys(store, "a/10") == wanted[1_000:1_100]

    asyncio.run(scenario())


def test_a_small_object_has_the_sha256_that_the_store_checked(store: S3Store) -> None:
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    stored = asyncio.run(put(store, "abc", b"abc"))
    assert stored.checksum == f"sha256:{digest}"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"EXPORT_S3_SECRET_ACCESS_KEY": "wrong"}, AccessDenied, "EXPORT_S3_SECRET_ACCESS_KEY"),
        ({"EXPORT_S3_ACCESS_KEY_ID": "unknown"}, AccessDenied, "EXPORT_S3_ACCESS_KEY_ID"),
        ({"EXPORT_S3_ENDPOINT": "http://127.0.0.1:1"}, StoreUnavailable, "127.0.0.1:1 gave no"),
    ],
)
def test_a_mistake_in_the_settings_is_told_by_every_method(
    seaweedfs: SeaweedFS,
    bucket: str,
    changes: dict[str, str],
    error: type[StoreError],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("export_pipeline.storage.retries.ATTEMPTS", 1)
    require_error_of_every_method(
        open_store(f"s3://{bucket}", seaweedfs.variables() | changes),
        error,
        words,
        (ADMIN.secret,),
    )


def test_a_missing_bucket_is_never_taken_for_a_missing_object(seaweedfs: SeaweedFS) -> None:
    store = open_store("s3://no-such-bucket/p", seaweedfs.variables())
    require_error_of_every_method(
        store, StoreError, "'no-such-bucket'.*no such bucket: make it", (ADMIN.secret,)
    )


def test_who_may_only_read_is_told_what_to_grant(seaweedfs: SeaweedFS, bucket: str) -> None:
    store = open_store(f"s3://{bucket}/p", seaweedfs.variables(READER))
    granted = rf"PutObject of 'p/a'.*grant s3:PutObject.*arn:aws:s3:::{bucket}/p/a"
    with pytest.raises(AccessDenied, match=granted):
        asyncio.run(put(store, "a"))


def test_a_probe_finds_every_step_works_and_leaves_nothing(store: S3Store) -> None:
    async def scenario() -> None:
        steps = await probe(store)
        assert [(step.name, step.ok) for step in steps] == [
            ("write", True),
            ("read back", True),
            ("create-only", True),
            ("create-only by copy", True),
            ("create-only in parts", True),
            ("sign", True),
            ("signed upload", True),
            ("create-only by signed URL", True),
            ("delete", True),
        ]
        assert await keys(store) == []

    asyncio.run(scenario())


def test_a_large_stream_needs_little_memory(seaweedfs: SeaweedFS, bucket: str) -> None:
    assert megabytes_needed(f"s3://{bucket}", seaweedfs.variables()) < 150
