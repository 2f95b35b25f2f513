"""A home folder and the command line in this process."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from export_pipeline.cli import app


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON object of `--json`."""
        (line,) = self.stdout.splitlines()
        return json.loads(line)


Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("EXPORT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run a command on the test's home; `stdin` are bytes."""

    def run(*arguments: str, stdin: bytes = b"", home: Path | None = None) -> Outcome:
        groups = ("scans", "inbox", "catalog")
        in_group = arguments[0] in groups and not "".join(arguments[1:2]).startswith("-")
        name_count = 2 if in_group else 1
        place = ["--home", str(home or tmp_path / "home")]
        words = [*arguments[:name_count], *place, *arguments[name_count:]]
        result = CliRunner().invoke(app, words, input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def home(tmp_path: Path, command: Command) -> Path:
    """A home that `check --init` made."""
    assert command("check", "--init").exit_code == 0
    return tmp_path / "home"
