"""Vendors and accounts by name: a typo is told, and one id of two vendors is told apart."""

import asyncio
from pathlib import Path

import pytest

from export_pipeline.ledger.database import sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline.storage.local import LocalStore
from export_pipeline_tests.cli.conftest import Command
from export_pipeline_tests.workflow.archives import Archive

HOSTILE = 'a/../b%2f;:"<x> =2e ü'
NOW = ("--reason", "case 7", "--yes")
OF_A_VENDOR = [
    ("verify", "--all"),
    ("fetch", "--all", "--to", "there"),
    ("scans", "import", "-"),
    ("scans", "list"),
    ("scans", "show", HOSTILE),
    ("scans", "activate", HOSTILE),
    ("retry",),
    ("link", HOSTILE),
    ("forget", HOSTILE, *NOW),
    ("hold", HOSTILE, "--reason", "case 7"),
    ("hold",),
    ("retention", "--dry-run"),
]
OF_AN_ACCOUNT = [one for one in OF_A_VENDOR if one[0] != "retention" and one[1:] != ("import", "-")]
OF_ONE_SCAN = [one for one in OF_AN_ACCOUNT if HOSTILE in one] + [
    ("verify", HOSTILE),
    ("fetch", HOSTILE, "--to", "there"),
    ("retry", HOSTILE),
]


@pytest.fixture
def both(home: Path) -> Path:
    """A home in which two vendors have a scan of one id."""
    ledger = make_ledger(sqlite_url(home))
    made = Archive(ledger, LocalStore(home / "archive"))

    async def fill() -> None:
        for vendor in ("copyleaks", "hookbridge"):
            await made.add(HOSTILE, vendor=vendor)
        await made.add(HOSTILE, vendor="hookbridge")

    asyncio.run(fill())
    ledger.close()
    return home


@pytest.mark.parametrize("arguments", OF_A_VENDOR, ids=" ".join)
def test_a_vendor_that_is_none_is_a_wrong_call(
    both: Path, command: Command, arguments: tuple[str, ...]
) -> None:
    done = command(*arguments, "--vendor", "copyleak")
    assert (done.exit_code, done.stdout) == (2, "")
    said = "'copyleak' is none: use one of copyleaks, laserfiche, hookbridge, cloudconvert"
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize("arguments", OF_AN_ACCOUNT, ids=" ".join)
@pytest.mark.parametrize("vendor", [(), ("--vendor", "hookbridge")])
def test_an_account_that_nobody_knows_is_a_wrong_call(
    both: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    vendor: tuple[str, ...],
) -> None:
    monkeypatch.setenv("EXPORT_HOOKBRIDGE_ACCOUNTS", "eu")
    done = command(*arguments, *vendor, "--account", "ue")
    assert (done.exit_code, done.stdout) == (2, "")
    told = " ".join(done.stderr.split())
    of = " of hookbridge" if vendor else ""
    assert f"'ue' is no account{of} in the settings or the ledger: use one of default, eu" in told


def test_an_account_of_another_vendor_is_a_wrong_call(
    both: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_HOOKBRIDGE_ACCOUNTS", "eu")
    assert command("scans", "list", "--account", "eu").exit_code == 0
    assert command("scans", "list", "--account", "eu", "--vendor", "copyleaks").exit_code == 2
    assert command("inbox", "resend", HOSTILE, "--account", "eu").exit_code == 2


def test_without_a_ledger_an_account_of_which_the_store_has_nothing_is_told(
    both: Path, command: Command
) -> None:
    (both / "ledger.sqlite").unlink()
    done = command("fetch", "--all", "--to", "there", "--account", "ue")
    assert done.exit_code == 1
    assert "has nothing of an account 'ue'" in done.stderr


@pytest.mark.parametrize("arguments", OF_ONE_SCAN, ids=" ".join)
def test_an_id_that_two_vendors_have_needs_the_vendor_and_then_means_its_scan(
    both: Path, command: Command, arguments: tuple[str, ...]
) -> None:
    vague = command(*arguments)
    assert vague.exit_code == 1
    said = "(copyleaks default, hookbridge default): name one by --vendor and --account"
    assert said in vague.stderr
    named = command(*arguments, "--vendor", "hookbridge")
    assert "name one by" not in named.stderr
    told = named.stdout + named.stderr
    if arguments[0] not in ("verify", "fetch", "forget"):
        assert "hookbridge" in told
    assert "copyleaks" not in told


def test_a_link_leads_to_the_generation_that_is_named(both: Path, command: Command) -> None:
    def numbers(*arguments: str) -> tuple[int, set[str]]:
        told = command("link", HOSTILE, "--vendor", "hookbridge", "--json", *arguments).json
        places = {one["place"].split("/data/")[0][-2:] for one in told["artifacts"]}
        return told["generation"], places

    assert numbers() == (2, {"/2"})
    assert numbers("--generation", "1") == (1, {"/1"})
    none = command("link", HOSTILE, "--vendor", "hookbridge", "--generation", "3")
    assert none.exit_code == 1
    assert "no generation 3 of it is sealed" in none.stderr


def test_what_is_known_is_verified_though_another_id_is_not(both: Path, command: Command) -> None:
    done = command("verify", HOSTILE, "typo", "--vendor", "copyleaks", "--json")
    assert done.exit_code == 1
    assert done.json["bags"] == 1
    (problem,) = done.json["problems"]
    assert problem.startswith("the ledger has no scan 'typo'")


def test_a_seed_without_a_sample_is_a_wrong_call(both: Path, command: Command) -> None:
    assert command("verify", "--all", "--seed", "7").exit_code == 2
