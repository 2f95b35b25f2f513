"""The demo's home: one demo at a time, and only where one can be."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from export_pipeline.cli import app
from export_pipeline.demo.home import VARIABLES_FILE, DemoHome
from export_pipeline_tests.demo.command import NOT_OURS


@pytest.fixture(autouse=True)
def set_for_real_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NOT_OURS.items():
        monkeypatch.setenv(name, value)


def test_a_second_demo_on_a_home_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    home = DemoHome(tmp_path / "home")
    with home.held():
        home.write_variables({"EXPORT_ATTEMPTS": "2"})
        done = CliRunner().invoke(app, ["demo", "--home", str(home.path)])
        assert done.exit_code == 1
        assert f"a demo runs in {home.path} already (pid {os.getpid()})" in done.stderr
        assert (home.path / VARIABLES_FILE).read_text() == "export EXPORT_ATTEMPTS=2\n"
    with home.held():
        assert (home.path / VARIABLES_FILE).read_text() == ""


@pytest.mark.parametrize("place", ["a-file", "a-file/below"])
def test_where_no_home_can_be_it_says_so(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").write_text("mine")
    done = CliRunner().invoke(app, ["demo", "--home", str(tmp_path / place)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert str(tmp_path / "a-file") in done.stderr
    assert "Not a directory" in done.stderr
