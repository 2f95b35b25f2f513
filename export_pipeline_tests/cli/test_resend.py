from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from export_pipeline.sandbox import Sandbox, ScanSpec
from export_pipeline_tests.cli.conftest import Command
from export_pipeline_tests.sandbox.receiving import Receiver
from export_pipeline_tests.vendors.copyleaks.bench import environment

LOST = 'a/../b%2f;:"<x>'


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox() as running:
        for name, value in environment(running).items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.mark.usefixtures("home")
def test_the_lost_webhook_of_a_scan_is_sent_once_more_and_registers_it(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        spec = ScanSpec(LOST, results=3, status_url=f"{receiver.url}/hook/{{status}}")
        control = sandbox.addresses["copyleaks_control"]
        httpx.post(f"{control}/scans", json=[spec.to_json()]).raise_for_status()
        done = command("inbox", "resend", LOST, LOST, "gone", "--json")
        (hook,) = receiver.wait_for("/hook/completed")
    assert done.exit_code == 1
    assert done.json["asked"] == 1
    (problem,) = done.json["problems"]
    assert problem["scan"] == "gone"
    assert "gone" in problem["reason"]
    (tmp_path / "body.json").write_bytes(hook.body)
    assert command("inbox", "import", str(tmp_path / "body.json")).exit_code == 0
    (scan,) = command("scans", "list", "--json").json["scans"]
    assert scan["scan"] == LOST


@pytest.mark.usefixtures("home", "sandbox")
def test_an_account_without_credentials_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = command("inbox", "resend", "essay-1", "--account", "team-b")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "'team-b' is no account of copyleaks" in unknown.stderr
    monkeypatch.setenv("EXPORT_COPYLEAKS_ACCOUNTS", "team-b")
    done = command("inbox", "resend", "essay-1", "--account", "team-b")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "EXPORT_COPYLEAKS_TEAM_B_EMAIL is not set: account 'team-b' needs it" in done.stderr
