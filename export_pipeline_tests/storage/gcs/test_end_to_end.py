"""Copyleaks pushes straight to signed URLs; the workflow finds, verifies and seals it there."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from export_pipeline.archive.audit import audit
from export_pipeline.archive.layout import bag_prefix
from export_pipeline.ledger.rows import ScanState
from export_pipeline.receiver.uploads import Uploads
from export_pipeline.sandbox import ScanSpec
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline_tests.workflow.world import world

HOSTILE = 'a/../b%2f;:"<x>'


def test_a_scan_is_archived_without_a_byte_through_the_receiver(
    tmp_path: Path, store: GcsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> None:
        raise AssertionError("an artifact came through the receiver")

    monkeypatch.setattr(Uploads, "take", refused)
    with world(tmp_path / "home") as place:
        straight = replace(place, store=store)
        scans = straight.archive(
            [ScanSpec(HOSTILE), ScanSpec("scan-2", traits=("unhealthy_first",))]
        )
    assert [scan.state for scan in scans] == [ScanState.ARCHIVED] * 2
    for scan in scans:
        report = asyncio.run(audit(store, bag_prefix(scan.key, 1)))
        assert report.passed, report.problems
        assert report.files > 4
