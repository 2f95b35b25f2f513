"""What an audit found is told wherever people look at a scan, while no daemon runs either."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.archive.layout import bag_prefix
from export_pipeline.ledger.database import sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.cli.conftest import Command
from export_pipeline_tests.workflow.archives import REPORT, Archive, flip_a_bit

HOSTILE = 'a/../b%2f;:"<x> =2e ü'
CHANGED = bag_prefix(ScanKey("copyleaks", "default", HOSTILE), 1) + REPORT


@pytest.fixture
def archive(home: Path) -> Iterator[Archive]:
    """Two scans, of which one was damaged, and found to be."""
    ledger = make_ledger(sqlite_url(home))
    made = Archive(ledger, LocalStore(home / "archive"))

    async def fill() -> None:
        for scan in (HOSTILE, "whole"):
            await made.add(scan)
        await made.replace(CHANGED, flip_a_bit)

    asyncio.run(fill())
    yield made
    ledger.close()


def test_before_it_is_found_nothing_is_damaged(archive: Archive, command: Command) -> None:
    assert command("status", "--json").json["damaged_bags"] == 0
    assert "damaged" not in command("scans", "list").stdout
    assert "damaged" not in command("scans", "show", HOSTILE).stdout


def test_a_damaged_scan_is_called_whole_nowhere(archive: Archive, command: Command) -> None:
    assert command("verify", "--all").exit_code == 1
    listed = {one["scan"]: one for one in command("scans", "list", "--json").json["scans"]}
    assert listed[HOSTILE]["damage"] == f"{CHANGED} changed since it was sealed"
    assert listed["whole"]["damage"] == ""
    (line,) = [one for one in command("scans", "list").stdout.splitlines() if HOSTILE in one]
    assert f"damaged: {CHANGED} changed since it was sealed" in line
    shown = command("scans", "show", HOSTILE).stdout
    artifact = next(line for line in shown.splitlines() if line.startswith("pdf_report.pdf"))
    assert artifact.split()[2] == "damaged"
    assert f"{CHANGED} changed since it was sealed" in shown
    assert command("status", "--json").json["damaged_bags"] == 1
    assert "1: `scans list --damaged` names them" in command("status").stdout


def test_damaged_scans_alone_are_listed(archive: Archive, command: Command) -> None:
    command("verify", "--all")
    (one,) = command("scans", "list", "--damaged", "--json").json["scans"]
    assert one["scan"] == HOSTILE


def test_what_is_whole_again_is_called_so(archive: Archive, command: Command) -> None:
    command("verify", "--all")
    asyncio.run(archive.replace(CHANGED, flip_a_bit))
    assert command("verify", HOSTILE).exit_code == 0
    assert command("status", "--json").json["damaged_bags"] == 0
    assert command("scans", "list", "--damaged", "--json").json["scans"] == []
    assert "damaged" not in command("scans", "list").stdout
