"""`status --watch` as a process of its own, on a terminal and off it."""

import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from export_pipeline_tests.cli.conftest import Command
from export_pipeline_tests.cli.test_process import MAIN

BEGINS, ENDS = b"\x1b[?1049h", b"\x1b[?1049l"
"""The alternate screen of a terminal (xterm's control sequences)."""
HIDES, SHOWS = b"\x1b[?25l", b"\x1b[?25h"
"""Its cursor."""
GIVE_UP_SECONDS = 120.0


def watching(home: Path, *options: str) -> list[str]:
    return [*MAIN, "status", "0.2", "--watch", "--home", str(home), *options]


def read_until(terminal: int, looks: int) -> bytes:
    """What the terminal got by the time it was drawn so often."""
    found, give_up = b"", time.monotonic() + GIVE_UP_SECONDS
    while found.count(b"since the watch began") < looks and time.monotonic() < give_up:
        found += os.read(terminal, 65_536)
    return found


def rest_of(terminal: int) -> bytes:
    found = b""
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # a pseudo-terminal whose other side was closed
            return found
        if not piece:
            return found
        found += piece


def test_on_a_terminal_the_figures_stand_still_and_ctrl_c_leaves_it_as_it_was(home: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        watching(home), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = read_until(ours, 3)
        process.send_signal(signal.SIGINT)
        shown += rest_of(ours)
        assert process.wait() == 0
    os.close(ours)
    assert shown.count(BEGINS) == shown.count(ENDS) == 1
    assert shown.index(BEGINS) < shown.index(b"since the watch began") < shown.index(ENDS)
    assert shown.rindex(SHOWS) > shown.rindex(HIDES)
    after = shown[shown.index(ENDS) + len(ENDS) :]
    assert after.replace(SHOWS, b"").strip() == b""


def test_off_a_terminal_each_look_is_one_block(home: Path) -> None:
    with subprocess.Popen(watching(home), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(60)]
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait() == 0
    text = "".join(lines)
    assert text.count("since the watch began") >= 2
    assert text.count("\nhome ") >= 2
    assert "\x1b" not in text


def test_as_json_each_look_is_one_line_with_its_rates(home: Path) -> None:
    with subprocess.Popen(watching(home, "--json"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    assert first["rates"]["sealed"] == 0
    assert 0.2 <= second["rates"]["seconds"] < GIVE_UP_SECONDS


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_it_ends_without_a_word_when_nobody_reads_any_more(
    home: Path, options: tuple[str, ...]
) -> None:
    """As in `status --watch | head -1`."""
    pipe = subprocess.PIPE
    with subprocess.Popen(watching(home, *options), stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_status_keeps_its_keys_and_tells_what_is_wrong(home: Path, command: Command) -> None:
    told = command("status", "--json").json
    assert set(told) >= {
        "home",
        "ledger",
        "store",
        "create_only",
        "scans",
        "orders",
        "accounts",
        "oldest_open_order",
        "rejected_letters",
        "unreported",
        "sealed_files",
        "sealed_bytes",
    }
    assert told["alerts"] == {"lasting": [], "looked_seconds": None, "problem": ""}
    assert told["alerts_to"] == "nobody: EXPORT_ALERT_URL is not set"


def test_seconds_without_a_watch_are_a_wrong_call(home: Path, command: Command) -> None:
    done = command("status", "5")
    assert done.exit_code == 2
    assert "goes with --watch" in done.stderr
