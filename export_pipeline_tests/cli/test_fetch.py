"""`fetch`: out of the archive again, with the ledger or without it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import bagit
import pytest

from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.cli.conftest import Command, Outcome
from export_pipeline_tests.workflow.world import World, world

GOOD, LOST, HOSTILE, EMPTY = "essay-good", "essay-lost", 'a/../b%2f;:"<x>', "essay-empty"
SPECS = (
    ScanSpec(GOOD, results=1, artifacts=("crawledVersion", "overview")),
    ScanSpec(LOST, results=1, traits=("never_delivers:pdfReport",)),
    ScanSpec(HOSTILE, results=2),
    ScanSpec(EMPTY, results=0, artifacts=(), traits=("never_delivers",)),
)
WHOLE = {
    GOOD: "essay-good/1",
    LOST: "essay-lost/1",
    HOSTILE: "a=2f=2e=2e=2fb=252f=3b=3a=22=3cx=3e/1",
}


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("disk") / "home") as one:
        one.archive(SPECS, attempts=1)
        yield one


Fetch = Callable[..., Outcome]


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch, command: Command, archived: World) -> Fetch:
    """Runs `fetch` into the folder `to`; `home` is another than the archived world's."""

    def run(*arguments: str, home: Path | None = None) -> Outcome:
        for name, value in archived.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("EXPORT_STORAGE_URL", archived.store.url)
        return command("fetch", "--to", "to", *arguments, home=home or archived.home)

    return run


@pytest.mark.parametrize("name", [GOOD, LOST, HOSTILE])
def test_a_scan_is_there_as_a_valid_bag(fetch: Fetch, tmp_path: Path, name: str) -> None:
    done = fetch(name, "--json")
    folder = tmp_path / "to/copyleaks/default" / WHOLE[name]
    files = [path for path in folder.rglob("*") if path.is_file()]
    told = {name: done.json[name] for name in ("to", "bags", "files", "kept", "failed", "problems")}
    assert (done.exit_code, done.stderr) == (0, "")
    assert told == {
        "to": "to",
        "bags": 1,
        "files": len(files),
        "kept": 0,
        "failed": [],
        "problems": [],
    }
    assert done.json["bytes"] == sum(path.stat().st_size for path in files)
    bagit.Bag(str(folder)).validate()
    again = fetch(name)
    assert f"1 bag whole in to ({len(files)} files, " in again.stdout
    assert f"of which {len(files)} were there before" in again.stdout


@pytest.mark.parametrize("home", ["archived", "lost"])
def test_all_of_it_is_the_newest_bag_of_each_scan(fetch: Fetch, tmp_path: Path, home: str) -> None:
    lost = {"home": tmp_path / "nowhere"} if home == "lost" else {}
    done = fetch("--all", "--json", **lost)
    there = {str(path.parent) for path in (tmp_path / "to").rglob("tagmanifest-sha256.txt")}
    assert done.json["bags"] == 3
    assert there == {str(tmp_path / "to/copyleaks/default" / one) for one in WHOLE.values()}
    assert done.exit_code == 0
    assert fetch("--all", "--vendor", "laserfiche", "--json", **lost).json["bags"] == 0
    assert fetch("--all", "--account", "team-b", **lost).exit_code == (1 if lost else 2)
    assert fetch("--all", "--account", "default", "--json", **lost).json["bags"] == 3


def test_without_a_ledger_the_store_tells(fetch: Fetch, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    done = fetch(HOSTILE, "--vendor", "copyleaks", home=nowhere)
    assert done.exit_code == 0
    assert "no ledger at" in done.stderr
    bagit.Bag(str(tmp_path / "to/copyleaks/default" / WHOLE[HOSTILE])).validate()
    assert "say whose it is: --vendor" in fetch(HOSTILE, home=nowhere).stderr
    missing = fetch(GOOD, "--vendor", "copyleaks", "--generation", "2", home=nowhere)
    assert (
        "copyleaks/default/essay-good: no generation 2 of it is sealed in file:" in missing.stderr
    )
    assert not nowhere.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody",), "the ledger has no scan 'nobody'"),
        ((EMPTY,), "essay-empty: nothing of it is sealed, it is failed"),
        ((GOOD, "--generation", "2"), "no generation 2 of it is sealed, it is archived"),
    ],
)
def test_what_is_not_there_is_told_and_the_others_come(
    fetch: Fetch, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = fetch(*arguments, *([HOSTILE] if "--generation" not in arguments else []))
    assert done.exit_code == 1
    assert words in done.stderr
    if "--generation" not in arguments:
        bagit.Bag(str(tmp_path / "to/copyleaks/default" / WHOLE[HOSTILE])).validate()


def test_a_damaged_bag_ends_with_1_and_says_which_file(
    fetch: Fetch, tmp_path: Path, archived: World
) -> None:
    file = archived.bag(GOOD) / "data/overview.json"
    before = file.read_bytes()
    file.write_bytes(before + b" ")
    done = fetch("--all")
    file.write_bytes(before)
    assert done.exit_code == 1
    assert "copyleaks/default/essay-good/1/data/overview.json: it was sealed" in done.stderr
    assert "2 bags whole in to" in done.stdout
    assert "; 1 not whole" in done.stdout
    assert fetch("--all").exit_code == 0
    damaged = tmp_path / "to/copyleaks/default/essay-good/1.damaged/data/overview.json"
    assert damaged.read_bytes() == before + b" "


@pytest.mark.parametrize("arguments", [(), (GOOD, "--all"), ("--all", "--generation", "1")])
def test_what_to_fetch_is_said_in_one_way(fetch: Fetch, arguments: tuple[str, ...]) -> None:
    assert fetch(*arguments).exit_code == 2


def run(archived: World, to: Path, stderr: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "export_pipeline.cli", "fetch", GOOD, "--to", str(to)],
        env={**archived.environment, "PATH": "/usr/bin:/bin", "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        check=True,
        text=True,
    )


def test_a_process_of_its_own_shows_progress_on_a_terminal_alone(
    archived: World, tmp_path: Path
) -> None:
    piped = run(archived, tmp_path / "to", subprocess.PIPE)
    assert (len(piped.stdout.splitlines()), piped.stderr) == (1, "")
    ours, terminal = os.openpty()
    shown = run(archived, tmp_path / "other", terminal)
    os.close(terminal)
    assert len(shown.stdout.splitlines()) == 1
    assert "/s" in os.read(ours, 100_000).decode()
    os.close(ours)


def test_the_older_generation_comes_by_its_number(
    fetch: Fetch, tmp_path: Path, archived: World, command: Command
) -> None:
    assert fetch(LOST, "--generation", "1").exit_code == 0
    command("retry", "--new-generation", LOST, "--wait", "0", home=archived.home)
    archived.settle(archived.pipeline(attempts=1), [LOST])
    shutil.rmtree(tmp_path / "to")
    for number, arguments in (("2", []), ("1", ["--generation", "1"])):
        assert fetch(LOST, *arguments).exit_code == 0
        bagit.Bag(str(tmp_path / "to/copyleaks/default/essay-lost" / number)).validate()
