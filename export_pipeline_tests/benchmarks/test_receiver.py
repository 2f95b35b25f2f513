import json
import sys

from export_pipeline_tests.benchmarks import __main__ as benchmarks
from export_pipeline_tests.benchmarks import receiver


def test_the_receivers_benchmark_measures_both_servers(monkeypatch, capsys):
    monkeypatch.setattr(receiver, "TARGET_PER_SECOND", {"webhooks": 40, "uploads": 40})
    monkeypatch.setattr(receiver, "FLAT_OUT_SECONDS", 1)
    monkeypatch.setattr(receiver, "PACED_SECONDS", 1)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "receiver", "--json"])
    benchmarks.main()
    result = json.loads(capsys.readouterr().out)
    for server in ("receiver", "plain"):
        for kind in ("webhooks", "uploads"):
            for figures in result[server][kind].values():
                assert 0 < figures["p50_ms"] <= figures["p99_ms"]
                assert figures["per_second"] > 0
