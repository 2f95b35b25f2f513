"""The benchmark of the quota runs; in virtual time its outcome is the same every time."""

from export_pipeline_tests.benchmarks.day import spend


def test_half_an_hour_with_killed_senders_uses_98_percent_and_is_never_refused() -> None:
    told = spend(hours=0.5, seed=3)
    assert told["kills"] > 0
    assert told["repeats"] > 0
    assert told["refused_429"] == 0
    assert told["share"] >= 0.98
