"""Damage to an archive in a bucket."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from export_pipeline.storage.s3.store import S3Store
from export_pipeline_tests.servers.seaweedfs import SeaweedFS
from export_pipeline_tests.workflow.archives import REPORT, SEAL, Archive
from export_pipeline_tests.workflow.auditing.damages import (
    HOSTILE,
    DamageConformance,
    Outcome,
    by_asset,
    flip,
)


class TestBucket(DamageConformance):
    @pytest.fixture
    def variables(self, seaweedfs: SeaweedFS, bucket: str) -> dict[str, str]:
        return {"EXPORT_STORAGE_URL": f"s3://{bucket}/my archive", **seaweedfs.variables()}

    def test_the_buckets_own_checksums_spare_rereading_where_they_are_trusted(
        self, archive: Archive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prefix = asyncio.run(archive.add(HOSTILE))
        read: list[str] = []
        opened = S3Store.open

        def watched(store: S3Store, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
            read.append(key)
            return opened(store, key, offset=offset)

        monkeypatch.setattr(S3Store, "open", watched)
        monkeypatch.setenv("EXPORT_FIXITY_TRUST_STORE", "true")
        assert by_asset() == Outcome([], passed=True)
        assert prefix + SEAL in read
        assert prefix + REPORT not in read
        asyncio.run(flip(archive, prefix))
        assert by_asset().problems == [f"{prefix}{REPORT} changed since it was sealed"]
