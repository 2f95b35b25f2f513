"""The benchmark of transfers runs beside rclone, and refuses to measure what did not happen."""

import json

import pytest

from export_pipeline.demo import seaweedfs
from export_pipeline.demo.seaweedfs import find_weed
from export_pipeline_tests.benchmarks import rclone
from export_pipeline_tests.benchmarks.moving import OURS, PEER, Run, bench
from export_pipeline_tests.benchmarks.rclone import find_rclone
from export_pipeline_tests.benchmarks.transfer import LOADS, main


@pytest.fixture(autouse=True)
def programs() -> None:
    if find_weed() is None:
        pytest.skip(seaweedfs.HOW_TO_GET_IT)
    if find_rclone() is None:
        pytest.skip(rclone.HOW_TO_GET_IT)


def test_it_measures_both_on_every_load_and_the_memory_of_one_large_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--share", "0.002", "--rounds", "1", "--json"])
    told = json.loads(capsys.readouterr().out)["parts"]
    for load in LOADS:
        found = told[load.name]
        assert found["ratio"] == found[PEER]["seconds"] / found[OURS]["seconds"]
        assert all(value > 0 for value in found[OURS].values())
    assert told["huge"]["size"] == 20_000_000
    assert 0 < told["huge"]["memory_mb"] < told["huge"]["target_mb"]


def test_a_run_that_moved_too_little_has_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench() as place:
        monkeypatch.setattr(place, "_theirs", lambda *_: Run(1.0, 1.0, 0.0))
        with pytest.raises(RuntimeError, match="0 of 2000 files are there"):
            place.run(PEER, LOADS[0])
