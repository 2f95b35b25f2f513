"""Copyleaks pushes straight to signed URLs, or through the receiver where nothing can be signed."""

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
from export_pipeline.storage.azure.store import AzureStore
from export_pipeline_tests.servers.azurite import Azurite
from export_pipeline_tests.servers.receiver import running_receiver
from export_pipeline_tests.storage.azure.conftest import opened
from export_pipeline_tests.workflow.world import world

SPECS = [ScanSpec('a/../b%2f;:"<x>'), ScanSpec("scan-2", traits=("unhealthy_first",))]


def require_archived(store: AzureStore, scans: Sequence[Scan]) -> None:
    assert [scan.state for scan in scans] == [ScanState.ARCHIVED] * 2
    for scan in scans:
        report = asyncio.run(audit(store, bag_prefix(scan.key, 1)))
        assert report.passed, report.problems
        assert report.files > 4


def test_a_scan_is_archived_without_a_byte_through_the_receiver(
    tmp_path: Path, store: AzureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> None:
        raise AssertionError("an artifact came through the receiver")

    monkeypatch.setattr(Uploads, "take", refused)
    with world(tmp_path / "home") as place:
        scans = replace(place, store=store).archive(SPECS)
    require_archived(store, scans)


def test_with_only_a_sas_token_a_scan_is_archived_through_the_receiver(
    tmp_path: Path, azurite: Azurite, container: str
) -> None:
    store = opened(container, azurite.token_variables(container))
    with (
        world(tmp_path / "home") as place,
        running_receiver(place.ledger, store) as addresses,
    ):
        scans = replace(place, store=store, addresses=addresses).archive(SPECS)
    require_archived(store, scans)
