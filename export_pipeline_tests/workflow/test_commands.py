import shlex
import subprocess

import pytest

from export_pipeline.scans import ScanKey
from export_pipeline.workflow import commands
from export_pipeline.workflow.history import find_named
from export_pipeline_tests.workflow.stepped import Stepped

NAMES = ['a/../b%2f;:"<x>', "-dash", "=2e", "A b", "é", "..", "$(touch x)", "`id`"]


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_hands_over_the_id_by_which_the_scan_is_found(home: Stepped, name: str) -> None:
    scan = home.register(name)
    told = commands.show(scan.key)
    printed = subprocess.run(
        ["bash", "-c", told.replace("export-pipeline", "printf '%s\\n'", 1)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    *words, last = printed.splitlines()
    assert words[:2] == ["scans", "show"]
    assert words[2:6] == ["--vendor", scan.vendor, "--account", "default"]
    assert (words[6:] == ["--"]) == (name == "-dash")
    assert home.look(find_named, last, "default", scan.vendor).scan == name
    assert not any(word.startswith("=") for word in told.split()), "zsh would expand it"


def test_few_scans_are_named_and_many_are_all_of_their_account() -> None:
    keys = [ScanKey("copyleaks", "eu", name) for name in ("one", "two")]
    few = commands.retry(keys, 2)
    assert shlex.split(few)[2:] == ["--vendor", "copyleaks", "--account", "eu", "one", "two"]
    assert commands.retry(keys, 3) == "export-pipeline retry --vendor copyleaks --account eu"
    assert "retry --new-generation --vendor" in commands.retry(keys, 2, sealed=True)
    assert commands.verify(keys).endswith("verify --vendor copyleaks --account eu one two")
