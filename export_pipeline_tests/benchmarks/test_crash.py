"""The benchmark of crashes runs by its name, with a time and a seed of one's own."""

import json
import sys

import pytest

from export_pipeline_tests.benchmarks import __main__ as benchmarks


def test_it_kills_and_proves_every_scan(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--minutes", "0.03", "--seed", "3", "--json")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "crash", *options])
    benchmarks.main()
    told = json.loads(capsys.readouterr().out)
    assert told["seed"] == 3
    assert told["scans"] == 2 * told["workers_killed"] > 0
