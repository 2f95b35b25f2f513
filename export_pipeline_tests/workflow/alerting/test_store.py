"""What an audit finds outside of sealed bags reaches people, and names nobody who was forgotten."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from export_pipeline.archive.layout import scan_prefix, seal_key
from export_pipeline.archive.signature import NO_KEYS
from export_pipeline.errors import StoreError
from export_pipeline.ledger import inventory
from export_pipeline.ledger.alerts import Cause
from export_pipeline.ledger.database import sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import pieces
from export_pipeline.workflow.alerting.causes import read_causes
from export_pipeline.workflow.auditing.fixity import run_fixity
from export_pipeline.workflow.auditing.verify import Auditor
from export_pipeline_tests.cli.conftest import Command, command
from export_pipeline_tests.workflow.archives import Archive

HOSTILE = 'a/../b%2f;:"<x> =2e ü'
UNKNOWN = ScanKey("copyleaks", "default", HOSTILE)
__all__ = ["command"]


@pytest.fixture
def archive(tmp_path: Path, command: Command) -> Iterator[Archive]:
    assert command("check", "--init").exit_code == 0
    ledger = make_ledger(sqlite_url(tmp_path / "home"))
    made = Archive(ledger, LocalStore(tmp_path / "home" / "archive"))
    asyncio.run(made.add("whole"))
    yield made
    ledger.close()


def put(archive: Archive, *keys: str) -> None:
    async def work() -> None:
        for key in keys:
            await archive.store.put(key, pieces(b"x"))

    asyncio.run(work())


def audited(archive: Archive, store: LocalStore | None = None) -> list[Cause]:
    """The causes after a run of the rolling audit."""
    auditor = Auditor(archive.ledger, store or archive.store, NO_KEYS, "a-run")
    asyncio.run(run_fixity(auditor, Settings.from_env({}, Path("home"))))
    return causes(archive)


def causes(archive: Archive) -> list[Cause]:
    with archive.ledger.read() as tx:
        return read_causes(tx, {}, 60.0)


def test_strays_and_unknown_bags_are_one_cause_until_an_audit_finds_none(archive: Archive) -> None:
    assert audited(archive) == []
    unknown = f"{scan_prefix(UNKNOWN)}1/"
    put(archive, "left here.txt", seal_key(unknown))
    (one,) = audited(archive)
    assert (one.cause, one.count) == ("store", 2)
    assert one.command == "export-pipeline verify --all"
    assert one.names[0].startswith(
        f"{unknown} is the folder of a bag that the ledger does not know"
    )
    assert one.names[1].startswith("left here.txt belongs to no bag")
    for key in ("left here.txt", seal_key(unknown)):
        asyncio.run(archive.store.erase(key))
    assert audited(archive) == []


def test_a_bag_that_the_store_cannot_show_is_told(archive: Archive) -> None:
    (one,) = audited(archive, Failing(Path(archive.store.url.removeprefix("file://"))))
    assert "copyleaks/default/whole/1/: it could not be read: no disk" in one.names[0]


def test_verify_all_notes_it_too(archive: Archive, command: Callable[..., object]) -> None:
    put(archive, "left here.txt")
    command("verify", "whole")
    assert causes(archive) == []
    command("verify", "--all")
    assert [one.cause for one in causes(archive)] == ["store"]


def test_what_names_a_forgotten_scan_is_dropped(archive: Archive) -> None:
    put(archive, "left here.txt", seal_key(f"{scan_prefix(UNKNOWN)}1/"))
    audited(archive)
    with archive.ledger.write() as tx:
        inventory.drop(tx, scan_prefix(UNKNOWN))
    (one,) = causes(archive)
    assert one.count == 1
    assert one.names[0].startswith("left here.txt")


class Failing(LocalStore):
    """A store that lists everything and shows nothing of a seal."""

    def open(self, key: str, *, offset: int = 0) -> object:  # type: ignore[override]
        raise StoreError("no disk")
