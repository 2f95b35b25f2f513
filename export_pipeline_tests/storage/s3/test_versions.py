"""Versions and locks: everything of an object is erased, and what a lock keeps is told before."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from export_pipeline.archive.layout import bag_prefix
from export_pipeline.errors import AccessDenied, NotForgotten
from export_pipeline.ledger.schema import orders
from export_pipeline.sandbox import ScanSpec
from export_pipeline.storage.open import open_store
from export_pipeline.storage.s3 import multipart
from export_pipeline.storage.s3.store import S3Store
from export_pipeline.storage.store import pieces
from export_pipeline_tests.servers.seaweedfs import SeaweedFS
from export_pipeline_tests.storage.conformance import StoreConformance, keys, put, read
from export_pipeline_tests.workflow.forgetting.traces import forgetting
from export_pipeline_tests.workflow.world import world

BAG = "copyleaks/default/a=2f..=2fb/1/"
LOCK = {"EXPORT_S3_OBJECT_LOCK_MODE": "GOVERNANCE", "EXPORT_S3_OBJECT_LOCK_DAYS": "30"}


@pytest.fixture
def bucket(seaweedfs: SeaweedFS) -> str:
    name = seaweedfs.new_bucket()
    enabled = {"Status": "Enabled"}
    seaweedfs.client.put_bucket_versioning(Bucket=name, VersioningConfiguration=enabled)
    return name


@pytest.fixture
def locking(seaweedfs: SeaweedFS) -> tuple[S3Store, str]:
    """A store that locks what it archives, and its bucket."""
    bucket = f"{seaweedfs.new_bucket()}-locked"
    seaweedfs.client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    opened = open_store(f"s3://{bucket}/my archive", {**seaweedfs.variables(), **LOCK})
    assert isinstance(opened, S3Store)
    return opened, bucket


class TestS3StoreWithVersions(StoreConformance):
    completes_one_of_several = False  # as without versions
    lists_in_order = False


def left(seaweedfs: SeaweedFS, bucket: str) -> list[str]:
    """Every version and mark, by key."""
    found = seaweedfs.client.list_object_versions(Bucket=bucket)
    every = [*found.get("Versions", []), *found.get("DeleteMarkers", [])]
    return sorted(one["Key"] for one in every)


def test_every_version_and_every_mark_of_a_deletion_is_erased(
    store: S3Store, seaweedfs: SeaweedFS, bucket: str
) -> None:
    async def scenario() -> None:
        for key in (f"{BAG}data/x", f"{BAG}bagit.txt", "copyleaks/default/a=2f..=2fb2/1/x"):
            await put(store, key, b"one")
            await store.delete(key)
            await put(store, key, b"second")
        await store.delete(f"{BAG}bagit.txt")
        found = [(one.key, one.size) async for one in store.versions(BAG)]
        sizes = [0, 0, 0, 3, 3, 6, 6]
        assert sorted(size for _, size in found) == sizes
        assert await store.erase(BAG) == len(sizes)

    asyncio.run(scenario())
    assert set(left(seaweedfs, bucket)) == {"my archive/copyleaks/default/a=2f..=2fb2/1/x"}


def test_more_versions_than_a_page_has_are_erased(
    store: S3Store, seaweedfs: SeaweedFS, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        for number in range(7):
            await put(store, f"{BAG}data/results/{number}=2e.json")
        pages = store._client.call

        async def by_twos(action: str, verb: str, key: str, **rest: object) -> object:
            if action == "ListObjectVersions":
                query = rest["query"]
                assert isinstance(query, dict)
                rest["query"] = dict(sorted({**query, "max-keys": "2"}.items()))
            return await pages(action, verb, key, **rest)  # type: ignore[arg-type]

        monkeypatch.setattr(store._client, "call", by_twos)
        assert await store.erase(BAG) == 7

    asyncio.run(scenario())
    assert left(seaweedfs, bucket) == []


def test_an_upload_in_parts_that_nobody_ended_is_erased(
    store: S3Store, seaweedfs: SeaweedFS, bucket: str
) -> None:
    begun = {"Bucket": bucket, "Key": f"my archive/{BAG}data/x"}
    seaweedfs.client.create_multipart_upload(**begun)
    asyncio.run(store.erase(BAG))
    assert seaweedfs.client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_a_scan_that_was_pushed_into_a_bucket_with_versions_is_forgotten_to_the_last(
    store: S3Store, seaweedfs: SeaweedFS, bucket: str, tmp_path: Path
) -> None:
    """Only once no URL lets the vendor write any more, which nothing takes back."""
    with world(tmp_path / "home") as place:
        straight = replace(place, store=store)
        (scan,) = straight.archive([ScanSpec("pushed", results=1)])
        assert asyncio.run(store.stat(f"{bag_prefix(scan.key, 1)}bagit.txt")) is not None
        with pytest.raises(NotForgotten, match="copyleaks can write into the store until"):
            straight.run(straight.pipeline(), forgetting(scan.key))
        long_ago = orders.update().values(sent_at=0.0)
        straight.write(lambda tx: tx.run(long_ago))
        straight.run(straight.pipeline(), forgetting(scan.key))
    kept = left(seaweedfs, bucket)
    assert len(kept) == 2
    assert all(name.startswith("my archive/tombstones/") for name in kept)


def test_what_is_archived_is_locked_for_its_days_and_the_tables_are_not(
    locking: tuple[S3Store, str], seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, bucket = locking
    monkeypatch.setattr(multipart, "PART_BYTES", 5 * 1024**2)

    async def scenario() -> None:
        await put(store, f"{BAG}bagit.txt")
        await store.put(f"{BAG}data/large", pieces([bytes(1024**2)] * 11))
        await put(store, ".incoming/0123/x")
        await store.copy(".incoming/0123/x", f"{BAG}data/copied")
        await put(store, "catalog/2026-11-22t050000-abcdef12.parquet")

    asyncio.run(scenario())
    head = seaweedfs.client.head_object
    for name in ("bagit.txt", "data/large", "data/copied"):
        found = head(Bucket=bucket, Key=f"my archive/{BAG}{name}")
        assert found["ObjectLockMode"] == "GOVERNANCE"
        days = found["ObjectLockRetainUntilDate"] - datetime.now(UTC)
        assert timedelta(days=29, hours=23) < days < timedelta(days=30, minutes=1)
    for name in (".incoming/0123/x", "catalog/2026-11-22t050000-abcdef12.parquet"):
        assert "ObjectLockMode" not in head(Bucket=bucket, Key=f"my archive/{name}")


def test_what_a_lock_keeps_is_told_with_its_end_and_not_erased(
    locking: tuple[S3Store, str], seaweedfs: SeaweedFS
) -> None:
    store, bucket = locking
    held = {"Bucket": bucket, "Key": "my archive/catalog/held", "Body": b"x"}
    seaweedfs.client.put_object(**held, ObjectLockLegalHoldStatus="ON")

    async def scenario() -> None:
        await put(store, f"{BAG}bagit.txt")
        (found,) = [one async for one in store.versions(BAG)]
        until = datetime.now(UTC) + timedelta(days=30)
        assert found.lock.startswith(f"object lock (GOVERNANCE) until {until:%Y-%m-%d}")
        assert [one.lock async for one in store.versions("catalog/")] == ["a legal hold"]
        with pytest.raises(AccessDenied, match="unless object lock keeps it"):
            await store.erase(BAG)
        assert await read(store, f"{BAG}bagit.txt") == b"x"
        assert await keys(store, BAG) == [f"{BAG}bagit.txt"]

    asyncio.run(scenario())


def test_a_store_that_locks_signs_no_upload(locking: tuple[S3Store, str]) -> None:
    """S3 takes a locked object only with a checksum, and no vendor sends one."""
    store, _ = locking
    assert store.sign_upload(f"{BAG}data/x", seconds=60) is None
    assert not store.capabilities.signs_uploads
    assert store.sign_download(f"{BAG}data/x", seconds=60) is not None
