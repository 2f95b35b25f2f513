"""The benchmark of archiving runs, and refuses to measure what did not happen."""

import json

import pytest

from export_pipeline_tests.benchmarks.archive import main
from export_pipeline_tests.benchmarks.samples import ARTIFACTS, scans


def test_it_measures_the_op_jobs_and_the_floor(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--scans", "5", "--parts", "jobs,floor", "--json"])
    told = json.loads(capsys.readouterr().out)
    jobs, floor = told["parts"]
    assert (jobs["part"], jobs["scans"]) == ("jobs", 5)
    assert (floor["part"], floor["scans"]) == ("floor", 5)
    assert jobs["cpu_seconds"] > floor["cpu_seconds"] > 0
    assert set(jobs["shares"]) == {"queue", "send", "collect", "receiver"}


@pytest.mark.parametrize("vendor", ["laserfiche", "hookbridge", "cloudconvert"])
def test_it_measures_every_vendor(vendor: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--scans", "3", "--parts", "jobs", "--vendor", vendor, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["vendor"] == vendor
    assert told["parts"][0]["cpu_seconds"] > 0


def test_a_scan_has_six_artifacts_by_one_result() -> None:
    (spec,) = scans(1, "http://127.0.0.1/{STATUS}", ())
    assert (spec.results + len(spec.artifacts), ARTIFACTS) == (6, 6)
