"""`verify`: which bags it rereads, what it shows, what it keeps."""

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from export_pipeline.ledger import generations, registry
from export_pipeline.ledger.database import sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.cli.conftest import Command
from export_pipeline_tests.workflow.archives import REPORT, Archive, flip_a_bit

HOSTILE = 'a/../b%2f;:"<x> =2e ü'
SCANS = [HOSTILE, HOSTILE, *(f"essay-{number}" for number in range(8))]
"""The hostile one has two generations."""


@pytest.fixture
def archive(home: Path) -> Iterator[Archive]:
    ledger = make_ledger(sqlite_url(home))
    made = Archive(ledger, LocalStore(home / "archive"))

    async def fill() -> None:
        for scan in SCANS:
            await made.add(scan)

    asyncio.run(fill())
    yield made
    ledger.close()


def damage(archive: Archive, prefix: str) -> None:
    asyncio.run(archive.replace(prefix + REPORT, flip_a_bit))


def test_scans_are_verified_with_all_their_generations_or_the_newest(
    archive: Archive, command: Command
) -> None:
    assert command("verify", HOSTILE, "--json").json["bags"] == 2
    assert command("verify", HOSTILE, HOSTILE, "essay-1", "--json").json["bags"] == 3
    assert command("verify", HOSTILE, "--newest", "--json").json["bags"] == 1


def test_all_are_verified_or_the_newest_of_each_or_those_of_a_vendor(
    archive: Archive, command: Command
) -> None:
    assert command("verify", "--all", "--json").json["bags"] == len(SCANS)
    assert command("verify", "--all", "--newest", "--json").json["bags"] == len(SCANS) - 1
    assert command("verify", "--all", "--account", "default", "--json").json["bags"] == len(SCANS)


@pytest.mark.parametrize(
    "arguments", [("--all",), ("--sample", "5%"), ("--sample", "100%", "--newest")]
)
def test_where_nothing_is_sealed_nothing_is_called_whole(
    home: Path, command: Command, arguments: tuple[str, ...]
) -> None:
    """A new ledger in place of a lost one: a job that verifies each night does not stay green."""
    make_ledger(sqlite_url(home)).close()
    done = command("verify", *arguments)
    assert done.exit_code == 1
    assert "nothing was verified: the ledger has no sealed bag" in done.stderr


def test_of_a_vendor_that_has_nothing_sealed_nothing_is_called_whole(
    archive: Archive, command: Command
) -> None:
    done = command("verify", "--all", "--vendor", "laserfiche", "--json")
    assert done.exit_code == 1
    assert done.json["bags"] == 0
    assert "nothing was verified" in done.json["problems"][0]


def test_a_sample_can_be_drawn_again(archive: Archive, command: Command) -> None:
    for prefix in range(8):
        damage(archive, f"copyleaks/default/essay-{prefix}/1/")
    told = [command("verify", "--sample", "30%", "--seed", "7", "--json") for _ in range(2)]
    assert [one.json["bags"] for one in told] == [3, 3]
    assert told[0].json["failed"] == told[1].json["failed"]
    drawn = command("verify", "--sample", "10")
    assert "1 bag reread" in drawn.stdout
    assert "draws the same again" in drawn.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name scans, or ask for --all or for --sample"),
        (("essay-1", "--all"), "name scans, or ask for --all or for --sample"),
        (("--all", "--sample", "5%"), "name scans, or ask for --all or for --sample"),
        (("--sample", "0%"), "is no part"),
        (("--sample", "101%"), "is no part"),
        (("--sample", "nan"), "is no part"),
        (("--sample", "5 %"), "is no part"),
    ],
)
def test_what_is_not_said_clearly_is_refused(
    home: Path, command: Command, arguments: tuple[str, ...], said: str
) -> None:
    done = command("verify", *arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_what_is_wrong_is_named_by_kind_and_the_exit_code_is_1(
    archive: Archive, command: Command
) -> None:
    prefix = "copyleaks/default/essay-3/1/"
    damage(archive, prefix)
    told = command("verify", "essay-3", "--json")
    assert told.exit_code == 1
    assert told.json["changed"] == [prefix + REPORT]
    assert told.json["failed"] == [prefix]
    assert told.json["missing"] == told.json["untracked"] == told.json["seal"] == []
    assert told.stderr == ""
    text = command("verify", "essay-3")
    assert f"{prefix}{REPORT} changed since it was sealed" in text.stderr
    assert "1 bag reread" in text.stdout


def test_a_scan_of_which_nothing_is_sealed_is_told(archive: Archive, command: Command) -> None:
    with archive.ledger.write() as tx:
        key = ScanKey("copyleaks", "default", "open")
        scan, _ = registry.register(tx, key, source="test")
        generations.open_next(tx, scan, wants_bag=True)
    done = command("verify", "open", "essay-1", "--json")
    assert done.exit_code == 1
    assert done.json["problems"] == [
        "copyleaks/default/open: nothing of it is sealed, it is ordered"
    ]
    assert done.json["bags"] == 1


def test_progress_is_shown_on_a_terminal_and_findings_at_once(archive: Archive, home: Path) -> None:
    damage(archive, "copyleaks/default/essay-3/1/")
    told = on_a_terminal(home, "verify", "--all")
    assert "rereading" in told
    assert f"{len(SCANS)}/{len(SCANS)}" in told
    assert "essay-3/1/data/pdf_report.pdf changed since it was sealed" in told


def on_a_terminal(home: Path, *arguments: str) -> str:
    """What a command prints on stderr where that is a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "export_pipeline.cli", *arguments, "--home", str(home)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        command, stderr=theirs, stdout=subprocess.DEVNULL, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        process.wait()
    os.close(ours)
    return shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how Linux says that the other end is closed
        return b""
