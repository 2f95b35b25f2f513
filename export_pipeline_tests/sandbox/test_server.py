import json
import signal
import subprocess
import sys

import httpx
import pytest

from export_pipeline.sandbox import CopyleaksOptions, Sandbox

ANNOUNCED = {
    "copyleaks_api",
    "copyleaks_identity",
    "copyleaks_email",
    "copyleaks_key",
    "copyleaks_control",
    "hookbridge",
    "hookbridge_key",
    "hookbridge_control",
    "examples",
}


def test_the_command_announces_itself_in_json_and_stops_at_an_interrupt():
    command = [
        sys.executable,
        "-m",
        "export_pipeline.sandbox",
        "--pace",
        "fast",
        "--reuse",
        "accept",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        told = json.loads(process.stdout.readline())
        credentials = {"email": told["copyleaks_email"], "key": told["copyleaks_key"]}
        url = f"{told['copyleaks_identity']}/v3/account/login/api"
        assert httpx.post(url, json=credentials).status_code == 200
        process.send_signal(signal.SIGINT)

    assert set(told) >= ANNOUNCED


def test_stats_of_a_sandbox_that_does_not_run_say_so():
    with pytest.raises(RuntimeError, match="call start"):
        Sandbox().stats()


def test_a_key_is_not_in_the_options_text():
    assert CopyleaksOptions().accounts[0].key not in repr(CopyleaksOptions())
