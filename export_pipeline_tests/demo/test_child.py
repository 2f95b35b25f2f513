import sys
import time

import psutil
import pytest

from export_pipeline.demo.child import Child, ServerFailed


@pytest.fixture
def start(tmp_path):
    """Starts children that run a Python text; all are stopped at the end."""
    logs = tmp_path / "logs"
    logs.mkdir()
    children = []

    def start(text):
        command = [sys.executable, "-c", text]
        children.append(Child("server", command, environment={}, logs=logs))
        return children[-1]

    yield start
    for child in children:
        child.stop()


def test_the_announcement_is_the_first_line_that_is_an_object(start):
    said = "print('a warning'); print('{\"url\": \"u\"}', flush=True)"
    child = start(f"{said}; import time; time.sleep(60)")

    assert child.announcement(time.sleep) == {"url": "u"}


def test_a_server_that_ends_early_is_told_with_its_log(start):
    child = start("raise SystemExit('no port')")

    with pytest.raises(ServerFailed, match=r"exit code 1: see .*server\.log"):
        child.announcement(time.sleep)

    assert "no port" in child.log.read_text()


def test_what_a_server_started_and_left_is_stopped_too(start):
    grandchild = "import subprocess, sys, time;"
    grandchild += "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    grandchild += 'print(\'{"pid": "%d"}\' % p.pid, flush=True); time.sleep(60)'
    child = start(grandchild)
    pid = int(child.announcement(time.sleep)["pid"])

    child.stop()

    assert not psutil.pid_exists(pid)
