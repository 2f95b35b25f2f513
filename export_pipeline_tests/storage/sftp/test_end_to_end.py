"""Vendors write through the receiver onto the SFTP server, and the workflow seals it there."""

import asyncio
from dataclasses import replace
from pathlib import Path

from export_pipeline.archive.audit import audit
from export_pipeline.archive.layout import bag_prefix
from export_pipeline.ledger.rows import ScanState
from export_pipeline.receiver.addresses import Addresses
from export_pipeline.receiver.app import build
from export_pipeline.sandbox import ScanSpec
from export_pipeline.storage.sftp.store import SftpStore
from export_pipeline_tests.servers.receiver import SECRET, running
from export_pipeline_tests.workflow.world import world


def test_a_scan_is_archived_through_the_receiver(tmp_path: Path, store: SftpStore) -> None:
    with world(tmp_path / "home") as place:
        app = build(place.ledger, store, Addresses("", (SECRET,)))
        with running(app) as url:
            remote = replace(place, store=store, addresses=Addresses(url, (SECRET,)))
            scans = remote.archive(
                [ScanSpec('a/../b%2f;:"<x>'), ScanSpec("scan-2", traits=("unhealthy_first",))]
            )
    assert [scan.state for scan in scans] == [ScanState.ARCHIVED] * 2
    for scan in scans:
        report = asyncio.run(audit(store, bag_prefix(scan.key, 1)))
        assert report.passed, report.problems
        assert report.files > 4
