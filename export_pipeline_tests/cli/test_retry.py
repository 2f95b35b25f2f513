"""`retry`: what it takes, what it waits for, and what its exit code says."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from export_pipeline.sandbox import ScanSpec
from export_pipeline_tests.cli.conftest import Command, Outcome
from export_pipeline_tests.workflow.world import World, world

GOOD, PARTIAL, FAILED = "essay-good", 'a/../b%2f;:"<x>', "essay-failed"
SPECS = (
    ScanSpec(GOOD, results=1),
    ScanSpec(PARTIAL, results=1, traits=("never_delivers:pdfReport",)),
    ScanSpec(FAILED, results=1, traits=("never_delivers",)),
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "home") as one:
        one.archive(SPECS, attempts=1)
        yield one


@pytest.fixture
def retry(
    place: World, command: Command, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    for name, value in {**place.environment, "EXPORT_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: command("retry", *arguments, home=place.home)


def test_a_scan_that_fails_again_is_exit_code_1(retry: Callable[..., Outcome]) -> None:
    for arguments in ((), (FAILED,)):
        done = retry(*arguments, "--json")
        assert done.exit_code == 1
        (told,) = done.json["scans"]
        assert (told["vendor"], told["scan"], told["state"]) == ("copyleaks", FAILED, "failed")


def test_one_that_is_ordered_already_is_waited_for(
    place: World, retry: Callable[..., Outcome]
) -> None:
    place.create([ScanSpec(FAILED, results=1)])
    assert retry(FAILED, "--wait", "0").exit_code == 0
    done = retry(FAILED, "--json")
    assert done.exit_code == 0
    (told,) = done.json["scans"]
    assert (told["outcome"], told["state"]) == ("ordered before", "archived")
    assert "copyleaks" in retry(FAILED).stdout


def test_a_partial_scan_says_what_goes_on_with_it(
    place: World, retry: Callable[..., Outcome]
) -> None:
    done = retry(PARTIAL, GOOD)
    assert done.exit_code == 1
    assert f"copyleaks/default/{PARTIAL}: sealed without what is missing" in done.stderr
    assert "--new-generation" in done.stderr
    assert GOOD not in done.stderr
    assert retry(GOOD).exit_code == 0
    still = retry(PARTIAL, "--new-generation", "--json")
    assert (still.exit_code, still.json["scans"][0]["state"]) == (1, "partial")
    place.create([ScanSpec(PARTIAL, results=1)])
    whole = retry(PARTIAL, "--new-generation", "--json")
    assert (whole.exit_code, whole.json["scans"][0]["state"]) == (0, "archived")
