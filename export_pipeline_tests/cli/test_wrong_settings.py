"""What is set wrongly costs what it is set for, and nothing else."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from export_pipeline_tests.cli.conftest import Command
from export_pipeline_tests.cli.test_process import MAIN
from export_pipeline_tests.test_readme import documented

HALF_SET = {
    "EXPORT_COPYLEAKS_EMAIL": (
        "copyleaks account default",
        "EXPORT_COPYLEAKS_KEY is not set: account 'default' needs it",
    ),
    "EXPORT_LASERFICHE_USERNAME": (
        "laserfiche account default",
        "EXPORT_LASERFICHE_REPOSITORY is not set: account 'default' needs it",
    ),
    "EXPORT_HOOKBRIDGE_ACCOUNTS": (
        "hookbridge account x",
        "EXPORT_HOOKBRIDGE_X_KEY is not set: account 'x' needs it",
    ),
    "EXPORT_CLOUDCONVERT_WEBHOOK_SECRET": (
        "cloudconvert account default",
        "EXPORT_CLOUDCONVERT_KEY is not set: account 'default' needs it",
    ),
    "EXPORT_LASERFICHE_DISCOVERY_SECONDS": (
        "laserfiche account default",
        "EXPORT_LASERFICHE_DISCOVERY_SECONDS: ",
    ),
    "EXPORT_COPYLEAKS_ARTIFACTS": (
        "copyleaks account default",
        "EXPORT_COPYLEAKS_ARTIFACTS: 'x' is no artifact",
    ),
    "EXPORT_COPYLEAKS_MAX_RETRIES": (
        "copyleaks account default",
        "EXPORT_COPYLEAKS_MAX_RETRIES: ",
    ),
    "EXPORT_COPYLEAKS_RETENTION_DAYS": ("setting", "EXPORT_COPYLEAKS_RETENTION_DAYS: "),
    "EXPORT_FIXITY_DAYS": ("setting", "EXPORT_FIXITY_DAYS: "),
    "EXPORT_STORAGE_URL": ("store", "EXPORT_STORAGE_URL: "),
    "EXPORT_S3_CREATE_ONLY": ("store", "EXPORT_S3_CREATE_ONLY: "),
    "EXPORT_ALERT_FORMAT": ("setting", "EXPORT_ALERT_FORMAT: "),
    "EXPORT_LEDGER_URL": ("setting", "EXPORT_LEDGER_URL: no URL of a ledger"),
}
GLOBAL = {
    "EXPORT_FIXITY_DAYS",
    "EXPORT_ALERT_FORMAT",
    "EXPORT_LEDGER_URL",
    "EXPORT_COPYLEAKS_RETENTION_DAYS",
}


@pytest.mark.parametrize("variable", HALF_SET)
def test_check_names_it_and_tries_the_rest(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "x")
    if "_S3_" in variable:
        monkeypatch.setenv("EXPORT_STORAGE_URL", "s3://bucket")
    told = command("check", "--json")
    assert told.exit_code == 1
    found = {one["name"]: one for one in told.json["findings"]}
    name, said = HALF_SET[variable]
    assert found[name]["works"] is False
    assert found[name]["text"].startswith(said)
    if variable != "EXPORT_LEDGER_URL":
        assert {"ledger", "signing key", "receiver", "hookbridge"} <= {
            one.partition(" account ")[0] for one in found
        }
    assert f"wrong    {name}: {found[name]['text']}" in command("check").stderr


@pytest.mark.parametrize("variable", sorted(HALF_SET.keys() - GLOBAL - {"EXPORT_STORAGE_URL"}))
def test_what_is_wrong_with_an_account_or_the_store_leaves_status_alone(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "x")
    monkeypatch.setenv("EXPORT_HOOKBRIDGE_KEY", "k")
    told = command("status", "--json")
    assert told.exit_code == 0
    accounts = {(one["vendor"], one["account"]): one for one in told.json["accounts"]}
    assert accounts["hookbridge", "default"]["configured"]
    name, said = HALF_SET[variable]
    if name != "store":
        vendor, _, account = name.split()
        assert not accounts[vendor, account]["configured"]
        assert said in accounts[vendor, account]["wrong"]
        assert said in command("status").stdout


def test_a_ledger_whose_driver_is_not_installed_is_told_with_how_to_get_one(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL for Postgres without the extra ended in a traceback."""
    monkeypatch.setenv("EXPORT_LEDGER_URL", "postgresql+pg8000://user:secret@127.0.0.1/archive")
    told = command("status")
    assert told.exit_code == 1
    assert "pg8000 is not installed" in told.stderr
    assert "pip install 'export-pipeline[postgres]'" in told.stderr
    assert "secret" not in told.stderr
    assert "pg8000 is not installed" in command("check").stderr


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("EXPORT_FIXITY_DASY", "did you mean EXPORT_FIXITY_DAYS?"),
        ("EXPORT_HOOKBRIGDE_KEY", "did you mean EXPORT_HOOKBRIDGE_KEY?"),
        ("EXPORT_COPYLEAKS_EU_KEY", "is read once EXPORT_COPYLEAKS_ACCOUNTS names the account"),
        ("EXPORT_LASERFICHE_EU_USERNAME", "once EXPORT_LASERFICHE_ACCOUNTS names the account"),
        ("EXPORT_WHATEVER_ELSE", "unset it"),
    ],
)
def test_check_tells_of_a_variable_that_nobody_reads(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(variable, "a-secret")
    told = command("check")
    assert told.exit_code == 1
    assert f"wrong    setting: {variable} is set and nobody reads it: " in told.stderr
    assert said in told.stderr
    assert "a-secret" not in told.stdout + told.stderr


def test_check_knows_every_variable_of_the_readme(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in documented().keys() - {"EXPORT_PIPELINE_HOME", "EXPORT_LEDGER_URL"}:
        monkeypatch.setenv(variable, "x")
    assert "nobody reads it" not in command("check").stderr


def test_check_lists_what_is_set_and_all_only_if_asked(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "EXPORT_" not in command("check").stdout.partition("None of them is set")[0]
    monkeypatch.setenv("EXPORT_ATTEMPTS", "2")
    listed = command("check").stdout.partition("`check --all`")[0]
    assert [line.split()[0] for line in listed.splitlines() if "EXPORT_" in line] == [
        "EXPORT_ATTEMPTS"
    ]
    everything = command("check", "--all").stdout
    for variable in ("EXPORT_FIXITY_DAYS", "EXPORT_HOOKBRIDGE_KEY"):
        assert f"\n{variable} " in everything
    assert "Names of further HookBridge accounts" in everything


@pytest.mark.parametrize("variable", sorted(GLOBAL))
def test_what_is_wrong_with_all_is_one_sentence(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "x")
    told = command("status", "--json")
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.startswith(f"{variable}: ")
    assert told.stderr.count("\n") == 1


def test_the_definitions_load_all_vendors(tmp_path: Path) -> None:
    done = _load(tmp_path, **dict.fromkeys(HALF_SET.keys() - GLOBAL, "x"))
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) == 4


def test_definitions_that_cannot_load_end_in_the_sentence(tmp_path: Path) -> None:
    done = _load(tmp_path, EXPORT_FIXITY_DAYS="x")
    assert "ConfigError: EXPORT_FIXITY_DAYS: " in done.stderr.splitlines()[-1]


def _load(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    count = (
        "from export_pipeline.definitions import defs;"
        "print(len({a.key.path[0] for a in defs.assets for a in a.specs} - {'archive'}))"
    )
    environment = {**os.environ, **variables, "EXPORT_PIPELINE_HOME": str(home)}
    command = [sys.executable, "-c", count]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_receiver_starts_whatever_is_wrong_with_what_it_does_not_need(home: Path) -> None:
    wrong = dict.fromkeys(HALF_SET.keys() - {"EXPORT_STORAGE_URL", "EXPORT_LEDGER_URL"}, "x")
    environment = {**os.environ, **wrong, "EXPORT_CLOUDCONVERT_WEBHOOK_SECRET": "s"}
    command = [*MAIN, "receiver", "--port", "0", "--home", str(home), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert httpx.get(f"{url}/healthz").status_code == 200
        signed = httpx.post(f"{url}/hooks/cloudconvert/default/signed", json={})
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    assert signed.status_code == 401
