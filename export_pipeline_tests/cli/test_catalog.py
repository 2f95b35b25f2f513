"""`catalog` on an archive whose database is lost."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from export_pipeline.archive.catalog import SCHEMA
from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.cli.conftest import Command, Outcome
from export_pipeline_tests.cli.test_archive import HOSTILE, SPECS
from export_pipeline_tests.workflow.world import World, world

BAGS = 3
"""Of `SPECS`: one scan fails."""


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One archive for the tests that do not change it."""
    with world(tmp_path_factory.mktemp("world") / "home") as one:
        one.archive(SPECS, attempts=1)
        yield one


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch, command: Command) -> Callable[..., Command]:
    """The command line on a home, with the store and the vendors of a world."""

    def point(one: World, home: Path) -> Command:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("EXPORT_STORAGE_URL", (one.home / "archive").as_uri())
        return lambda *arguments, **more: command(*arguments, home=home, **more)

    return point


@pytest.fixture
def old(archived: World, point_at: Callable[..., Command]) -> Command:
    """On the home where all was archived."""
    return point_at(archived, archived.home)


@pytest.fixture
def new(archived: World, point_at: Callable[..., Command], tmp_path: Path) -> Command:
    """On a new home, as if the old one were lost."""
    command = point_at(archived, tmp_path / "new")
    # It complains: the receiver works on the old ledger still.
    assert command("check", "--init").exit_code == 1
    return command


def table(location: str) -> pa.Table:
    return parquet.read_table(location.removeprefix("file://"))


def written(command: Command) -> pa.Table:
    return table(command("catalog", "write", "--json").json["location"])


def test_the_place_of_the_newest_catalog_is_printed_and_older_ones_are_kept(
    old: Command, archived: World
) -> None:
    first = old("catalog", "write", "--json").json
    assert old("catalog").stdout.strip() == first["location"]
    assert old("catalog", "--json").json["key"] == first["key"]
    files = list((archived.home / "archive" / "catalog").iterdir())
    assert len(files) == 1
    rows = table(first["location"])
    assert rows.schema.equals(SCHEMA)
    assert {one["status"]: one["rows"] for one in first["rows"]} == {"archived": 13, "partial": 6}
    assert rows.num_rows == 19
    assert set(rows.column("scan").to_pylist()) >= {HOSTILE}
    old("catalog", "write")
    assert len(list((archived.home / "archive" / "catalog").iterdir())) == 2


def test_without_a_catalog_it_says_how_to_write_one(home: Path, command: Command) -> None:
    told = command("catalog")
    assert told.exit_code == 1
    assert "export-pipeline catalog write" in told.stderr


def test_an_option_before_the_verb_is_refused(home: Path, command: Command) -> None:
    told = command("catalog", "--json", "write")
    assert told.exit_code == 2
    assert "put options after `write`" in told.stderr


def test_everything_is_there_again_after_the_database_is_lost(old: Command, new: Command) -> None:
    before = written(old)
    shown = old("scans", "show", HOSTILE, "--json").json
    told = new("catalog", "rebuild", "--json")
    assert told.exit_code == 0
    assert (told.json["bags"], told.json["added"]) == (BAGS, BAGS)
    assert table(told.json["catalog"]["location"]).equals(before)
    assert new("status", "--json").json["scans"] == {"archived": 2, "partial": 1}
    assert new("verify", "--all").exit_code == 0
    again = new("scans", "show", HOSTILE, "--json").json
    assert again["artifacts"][0]["sha256"] == shown["artifacts"][0]["sha256"]
    assert len(again["events"]) == len(shown["events"])
    assert len(new("scans", "list", "--json").json["scans"]) == BAGS
    link = new("link", HOSTILE, "--json")
    assert {one["sha256"] for one in link.json["artifacts"]} == {
        one["sha256"] for one in shown["artifacts"] if one["sha256"]
    }


def test_it_says_what_is_not_in_the_store_and_how_to_bring_it_back(new: Command) -> None:
    told = new("catalog", "rebuild")
    assert told.exit_code == 0
    assert "3 sealed bags read; of 3 scans 3 bags added" in told.stdout
    for way in ("scans import", "inbox import", "discovery"):
        assert way in told.stderr


def test_a_dry_run_leaves_the_ledger_empty(new: Command) -> None:
    told = new("catalog", "rebuild", "--dry-run")
    assert "of 3 scans 3 bags would be added" in told.stdout
    assert new("scans", "list", "--json").json["scans"] == []
    assert new("catalog", "rebuild", "--dry-run", "--json").json["catalog"] is None


def test_without_a_ledger_it_says_how_to_make_one(
    archived: World, point_at: Callable[..., Command], tmp_path: Path
) -> None:
    told = point_at(archived, tmp_path / "none")("catalog", "rebuild")
    assert told.exit_code == 1
    assert "check --init" in told.stderr
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_read_is_named_and_everything_else_is_brought_back(
    tmp_path: Path, point_at: Callable[..., Command]
) -> None:
    with world(tmp_path / "home") as one:
        one.archive([ScanSpec(HOSTILE, results=1), ScanSpec("good", results=1)])
        provenance = one.bag(HOSTILE) / "provenance.json"
        provenance.chmod(0o644)
        record = json.loads(provenance.read_text())
        provenance.write_text(json.dumps({**record, "verdict": "partial"}))
        new = point_at(one, tmp_path / "new")
        new("check", "--init")
        told = new("catalog", "rebuild")
        assert told.exit_code == 1
        assert "=3b=3a=22=3cx=3e/1/: provenance.json is not what was sealed" in told.stderr
        assert "1 left out" in told.stderr
        assert [scan["scan"] for scan in listed(new)] == ["good"]


def listed(command: Command) -> list[dict[str, str]]:
    told: Outcome = command("scans", "list", "--json")
    return list(told.json["scans"])
