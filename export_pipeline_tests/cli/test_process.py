"""The command as a process of its own: piping, serving, stopping."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

MAIN = [sys.executable, "-W", "error", "-c", "from export_pipeline.cli import main; main()"]


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [*MAIN, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_version_is_that_of_the_package() -> None:
    assert run("--version").stdout == "export-pipeline 0.1.0\n"


def test_scans_go_in_by_a_pipe_and_out_by_another(home: Path) -> None:
    ids = "\n".join(f"essay-{number}" for number in range(3000))
    done = run("scans", "import", "-", "--home", str(home), "--json", stdin=ids)
    assert (done.returncode, json.loads(done.stdout)["new"]) == (0, 3000)
    listing = [*MAIN, "scans", "list", "--limit", "3000", "--home", str(home)]
    with subprocess.Popen(listing, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_an_error_is_one_sentence_on_stderr(tmp_path: Path) -> None:
    done = run("status", "--json", "--home", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1


def test_the_sandbox_tells_where_it_is_and_stops_when_told() -> None:
    with subprocess.Popen(
        [*MAIN, "sandbox", "--pace", "fast"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert process.stdout.readline().startswith("export EXPORT_COPYLEAKS_API_URL=http://127")
        login = {"email": told["copyleaks_email"], "key": told["copyleaks_key"]}
        answer = httpx.post(f"{told['copyleaks_identity']}/v3/account/login/api", json=login)
        assert answer.status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def test_the_receiver_takes_the_webhook_that_it_prints(home: Path) -> None:
    command = [*MAIN, "receiver", "--port", "0", "--home", str(home), "--json"]
    account = {"EXPORT_COPYLEAKS_EMAIL": "a@example.com", "EXPORT_COPYLEAKS_KEY": "k"}
    environment = {**os.environ, **account}
    printed = subprocess.run(
        [*command, "--webhooks"], capture_output=True, env=environment, check=True
    )
    (webhook,) = json.loads(printed.stdout)["webhooks"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        base = json.loads(process.stdout.readline())["url"]
        path = webhook["url"].replace("{STATUS}", "completed").removeprefix("http://127.0.0.1:8484")
        body = {"scannedDocument": {"scanId": "essay-1"}}
        headers = {webhook["header"]: webhook["token"]}
        assert httpx.post(base + path, json=body).status_code == 401
        assert httpx.post(base + path, json=body, headers=headers).status_code == 200
        forward = webhook["forward_url"].removeprefix("http://127.0.0.1:8484")
        assert httpx.post(base + forward, json=body).status_code == 401
        assert httpx.post(base + forward, json=body, headers=headers).status_code == 200
        bare = webhook["url_with_token"].removeprefix("http://127.0.0.1:8484")
        bare = bare.replace("{STATUS}", "completed")
        assert httpx.post(base + bare, json=body).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
