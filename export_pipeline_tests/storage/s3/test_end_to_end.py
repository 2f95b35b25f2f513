"""Copyleaks pushes straight to signed URLs; the workflow finds, verifies and seals it there."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from export_pipeline.archive.audit import audit
from export_pipeline.archive.layout import bag_prefix
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.receiver.uploads import Uploads
from export_pipeline.sandbox import ScanSpec
from export_pipeline.sandbox.copyleaks.options import CopyleaksOptions
from export_pipeline.storage.open import open_store
from export_pipeline.storage.s3.store import S3Store
from export_pipeline.storage.store import Store
from export_pipeline_tests.servers.seaweedfs import SeaweedFS
from export_pipeline_tests.workflow.world import world

HOSTILE = 'a/../b%2f;:"<x>'


@pytest.fixture(autouse=True)
def no_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object) -> None:
        raise AssertionError("an artifact came through the receiver")

    monkeypatch.setattr(Uploads, "take", refused)


def test_a_scan_is_archived_without_a_byte_through_the_receiver(
    tmp_path: Path, store: S3Store
) -> None:
    with world(tmp_path / "home") as place:
        straight = replace(place, store=store)
        scans = straight.archive(
            [ScanSpec("scan-1"), ScanSpec("scan-2", traits=("unhealthy_first",))]
        )
    require_archived(store, scans)


@pytest.mark.parametrize(
    ("upload_type", "kept"),
    [("given", {"text/x-set"}), ("own", {"application/pdf", "application/json"})],
)
def test_a_vendor_may_send_the_type_that_is_set_or_its_own(
    tmp_path: Path, seaweedfs: SeaweedFS, bucket: str, upload_type: str, kept: set[str]
) -> None:
    variables = seaweedfs.variables() | {"EXPORT_S3_CONTENT_TYPE": "text/x-set"}
    store = open_store(f"s3://{bucket}", variables)
    vendor = replace(CopyleaksOptions(pace="fast"), upload_type=upload_type)
    with world(tmp_path / "home", vendor) as place:
        scans = replace(place, store=store).archive([ScanSpec(HOSTILE)])
    require_archived(store, scans)
    listed = seaweedfs.client.list_objects_v2(Bucket=bucket)["Contents"]
    names = [found["Key"] for found in listed if "/data/" in found["Key"]]
    heads = [seaweedfs.client.head_object(Bucket=bucket, Key=name) for name in names]
    assert {head["ContentType"] for head in heads} == kept


def require_archived(store: Store, scans: Sequence[Scan]) -> None:
    assert {scan.state for scan in scans} == {ScanState.ARCHIVED}
    for scan in scans:
        report = asyncio.run(audit(store, bag_prefix(scan.key, 1)))
        assert report.passed, report.problems
        assert report.files > 4
