"""The benchmark of scale measures every part on what it filled."""

import json

import pytest

from export_pipeline_tests.benchmarks.filled import KINDS
from export_pipeline_tests.benchmarks.scale import exponent, main
from export_pipeline_tests.benchmarks.scale_part import PARTS
from export_pipeline_tests.benchmarks.scale_tick import TICKS


def test_it_measures_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--sizes", "200", "--json"])
    (told,) = json.loads(capsys.readouterr().out)["sizes"]
    assert (told["scans"], told["artifacts"]) == (200, 196 * len(KINDS))
    assert set(told["parts"]) == {*PARTS, *TICKS}
    assert all(one["seconds"] > 0 and one["peak_mb"] > 20 for one in told["parts"].values())


def test_growth_is_told_as_an_exponent() -> None:
    measured = [
        {"scans": scans, "parts": {"part": {"cpu_seconds": seconds}}}
        for scans, seconds in ((1_000, 9.0), (10_000, 0.1), (100_000, 10.0))
    ]
    assert exponent(measured, "part") == pytest.approx(2)
    assert exponent(measured[:1], "part") is None
