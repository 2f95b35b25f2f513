"""The real command in a process of its own, and what is left of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

GIVE_UP_SECONDS = 400
COMMAND = [sys.executable, "-m", "export_pipeline.cli"]
NOT_OURS = {
    "EXPORT_LEDGER_URL": "postgresql://nobody@127.0.0.1:1/theirs",
    "EXPORT_COPYLEAKS_API_URL": "http://127.0.0.1:1",
    "EXPORT_COPYLEAKS_EMAIL": "user@example.com",
    "EXPORT_COPYLEAKS_KEY": "a-key-of-the-user",
}
"""What the user has set for real work; the demo must not touch it."""


@contextmanager
def started_demo(home: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start `demo` on `home`; ends it if a test did not."""
    process = subprocess.Popen(
        [*COMMAND, "demo", "--home", str(home), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | NOT_OURS,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with nothing set."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("EXPORT_")}
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=env,
        timeout=GIVE_UP_SECONDS,
        check=False,
    )


def report(home: Path, *arguments: str) -> Any:
    """What a command with `--json` says of the home."""
    done = run(*arguments, "--json", "--home", str(home))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def left_running(home: Path) -> list[str]:
    """Processes that work in the home, which is where the demo starts all of its own."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(home):
                found.append(" ".join(process.cmdline()))
    return found
