import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from export_pipeline.cli import servers
from export_pipeline.sandbox import Sandbox, SandboxOptions
from export_pipeline_tests.cli.conftest import Command


@pytest.mark.usefixtures("home")
def test_the_webhooks_are_told_ready_to_paste(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_COPYLEAKS_EMAIL", "a@example.com")
    monkeypatch.setenv("EXPORT_COPYLEAKS_KEY", "a-key")
    monkeypatch.setenv("EXPORT_RECEIVER_URL", "https://exports.example.com")
    (one,) = command("receiver", "--webhooks", "--json").json["webhooks"]
    url = "https://exports.example.com/hooks/copyleaks/default/scans/"
    told = command("receiver", "--webhooks").stdout
    (pasted,) = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert pasted == one["properties"]
    assert pasted == {
        "webhooks": {
            "status": url + "{STATUS}",
            "statusHeaders": [["X-Export-Token", one["token"]]],
        }
    }
    assert one["url_with_token"] == f"{url}{one['token']}/{{STATUS}}"
    assert one["forward_url"] == url + "completed"
    for line in (one["url_with_token"], one["forward_url"], f"X-Export-Token: {one['token']}"):
        assert line in told


@pytest.mark.usefixtures("home")
def test_without_an_account_there_are_no_webhooks_to_tell(command: Command) -> None:
    assert "no account has credentials here" in command("receiver", "--webhooks").stdout
    assert command("receiver", "--webhooks", "--json").json == {"webhooks": [], "signed": []}


@pytest.mark.usefixtures("home")
def test_where_a_vendor_posts_that_signs_its_webhooks_is_printed(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_CLOUDCONVERT_KEY", "a-key")
    monkeypatch.setenv("EXPORT_RECEIVER_URL", "https://exports.example.com")
    address = "https://exports.example.com/hooks/cloudconvert/default/signed"
    (one,) = command("receiver", "--webhooks", "--json").json["signed"]
    assert one == {"vendor": "cloudconvert", "account": "default", "url": address}
    assert address in command("receiver", "--webhooks").stdout


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["receiver", "sandbox"])
def test_where_nothing_can_listen_is_a_sentence(command: Command, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command(name, "--port", port)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"nothing can listen at 127.0.0.1 port {port} (Address already in use)" in done.stderr
    for host in ("192.0.2.1", "no.such.host.invalid", "x" * 70):
        other = command(name, "--host", host, "--port", "0")
        assert other.exit_code == 1
        assert f"nothing can listen at {host} port 0 (" in other.stderr


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["receiver", "sandbox"])
@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_is_none_is_a_wrong_call(command: Command, name: str, port: str) -> None:
    assert command(name, "--port", port).exit_code == 2


def test_the_sandbox_names_the_home_that_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(servers, "serve_sandbox", _announce_at_once)
    told = command("sandbox", home=tmp_path / "a home").stdout
    assert f"export EXPORT_PIPELINE_HOME='{tmp_path / 'a home'}'" in told.splitlines()


def _announce_at_once(
    host: str, port: int, options: SandboxOptions, ready: Callable[[Mapping[str, object]], None]
) -> None:
    with Sandbox(options) as sandbox:
        ready(sandbox.addresses)
