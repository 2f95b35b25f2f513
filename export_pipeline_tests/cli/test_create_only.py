"""What `check` and `status` say of a store that replaces what it has."""

from pathlib import Path

import pytest

from export_pipeline.storage.probe import NO_CREATE_ONLY
from export_pipeline_tests.cli.conftest import Command
from export_pipeline_tests.servers.nginx import PASSWORD, Nginx


@pytest.fixture(autouse=True)
def on_nginx(no_settings: None, nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORT_STORAGE_URL", nginx.new_folder())
    monkeypatch.setenv("EXPORT_HTTP_HEADERS", '{"x-api-key": "very-secret"}')
    for name, value in nginx.variables().items():
        monkeypatch.setenv(name, value)


def test_check_tells_what_follows_and_succeeds(command: Command, home: Path) -> None:
    told = command("check", "--json")
    assert told.exit_code == 0
    findings = {one["name"]: one for one in told.json["findings"]}
    assert findings["store: write"]["works"]
    assert findings["store: create-only"]["works"] is None
    assert findings["store: create-only"]["text"] == NO_CREATE_ONLY
    assert findings["store: delete"]["works"]
    assert NO_CREATE_ONLY in command("check").stdout


def test_check_fails_where_the_store_is_said_to_be_create_only_and_names_the_variable(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_HTTP_CREATE_ONLY", "true")
    told = command("check")
    assert told.exit_code == 1
    assert "wrong    store: create-only: http://127.0.0.1:" in told.stderr
    assert "say so with EXPORT_HTTP_CREATE_ONLY=false" in told.stderr


def test_status_says_it(command: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("status", "--json").json["create_only"] is False
    assert NO_CREATE_ONLY in command("status").stdout
    monkeypatch.setenv("EXPORT_HTTP_CREATE_ONLY", "true")
    assert command("status", "--json").json["create_only"] is True
    assert "by the store itself" in command("status").stdout


def test_no_secret_of_the_store_is_told(command: Command, home: Path) -> None:
    told = command("check", "--json")
    assert told.json["variables"]["EXPORT_HTTP_HEADERS"] == "set"
    assert told.json["variables"]["EXPORT_HTTP_PASSWORD"] == "set"
    for shown in (told.stdout, command("check").stdout, command("status").stdout):
        assert "very-secret" not in shown
        assert PASSWORD not in shown
