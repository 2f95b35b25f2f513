from pathlib import Path

import pytest
from typer.testing import CliRunner

from export_pipeline.cli import app
from export_pipeline_tests.cli.conftest import Command

NEED_A_LEDGER = [
    ("scans", "import", "-"),
    ("scans", "list"),
    ("scans", "show", "essay-1"),
    ("scans", "activate", "essay-1"),
    ("inbox", "import", "-"),
    ("inbox", "resend", "essay-1"),
    ("status",),
    ("plan",),
    ("retry",),
    ("verify", "--all"),
    ("link", "essay-1"),
    ("receiver",),
    ("check",),
]


@pytest.mark.parametrize("arguments", NEED_A_LEDGER, ids=" ".join)
def test_without_a_ledger_a_command_says_so_and_makes_none(
    tmp_path: Path, command: Command, arguments: tuple[str, ...]
) -> None:
    done = command(*arguments)
    assert done.exit_code == 1
    assert f"no ledger at {tmp_path / 'home'}" in done.stderr
    assert not (tmp_path / "home").exists()


def test_the_home_is_the_option_then_the_variable_then_the_folder_here(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> str:
        return CliRunner().invoke(app, ["status"]).stderr

    assert f"no ledger at {tmp_path / '.export_pipeline'}" in told()
    monkeypatch.setenv("EXPORT_PIPELINE_HOME", str(tmp_path / "variable"))
    assert f"no ledger at {tmp_path / 'variable'}" in told()
    option = tmp_path / "option"
    assert f"no ledger at {option}" in command("status", home=option).stderr


def test_a_file_that_is_no_ledger_is_a_sentence(home: Path, command: Command) -> None:
    (home / "ledger.sqlite").write_text("this is no database, however long it may be" * 100)
    done = command("status")
    assert done.exit_code == 1
    assert "the ledger cannot be used: file is not a database" in done.stderr


def test_a_wrong_setting_is_a_sentence(
    home: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_ATTEMPTS", "many")
    done = command("status")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("EXPORT_ATTEMPTS: ")


def test_a_wrong_call_is_exit_code_2(command: Command) -> None:
    assert command("scans", "list", "--state", "lost").exit_code == 2


def test_help_tells_of_every_command_with_an_example_of_each() -> None:
    def helped(*arguments: str) -> str:
        return CliRunner().invoke(app, [*arguments, "--help"]).stdout

    commands = [
        *((one,) for one in ("status", "plan", "retry", "verify", "link")),
        *((one,) for one in ("check", "receiver", "sandbox", "demo")),
        *(("scans", one) for one in ("import", "list", "show", "activate")),
        ("inbox", "import"),
    ]
    for *group, name in commands:
        assert f"\n  {name} " in helped(*group)
        assert "Examples:\n    " in helped(*group, name)
        assert "--home DIR" in helped(*group, name)


@pytest.mark.parametrize("below", ["", "below"])
def test_where_no_home_can_be_made_it_says_what_to_do(
    tmp_path: Path, command: Command, below: str
) -> None:
    (tmp_path / "a-file").write_text("mine")
    home = tmp_path / "a-file" / below
    done = command("check", "--init", home=home)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"no home can be made at {home} (")
    assert "name another folder by --home or EXPORT_PIPELINE_HOME" in done.stderr


@pytest.mark.parametrize(
    ("file", "variable", "arguments"),
    [
        ("receiver-secret", "EXPORT_RECEIVER_SECRET", ("receiver", "--webhooks")),
        ("tombstone-key", "EXPORT_TOMBSTONE_KEY", ("scans", "import", "-")),
        (
            "tombstone-key",
            "EXPORT_TOMBSTONE_KEY",
            ("forget", "essay-1", "--vendor", "copyleaks", "--reason", "case 7", "--dry-run"),
        ),
    ],
)
def test_a_key_that_cannot_be_read_is_named_with_the_variable_in_its_place(
    home: Path, command: Command, file: str, variable: str, arguments: tuple[str, ...]
) -> None:
    (home / file).unlink()
    (home / file).mkdir()
    done = command(*arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{home / file} cannot be read (Is a directory): ")
    assert done.stderr.endswith(f"or set {variable}\n")
