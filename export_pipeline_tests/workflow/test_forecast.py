from export_pipeline.ledger.quotas import Quota
from export_pipeline.ledger.summary import Waiting
from export_pipeline.workflow.forecast import expiring, seconds_for, seconds_per_call

NOW = 1_800_000_000.0


def test_the_slowest_quota_sets_the_pace() -> None:
    exports, requests = Quota("exports", 10, 60), Quota("requests", 10, 1)
    assert seconds_per_call([requests, exports]) == exports.interval
    assert seconds_per_call([]) == 0.0


def test_the_first_call_waits_for_the_quota_and_each_further_one_for_its_turn() -> None:
    assert seconds_for(0, 6.0, free_in=5.0) == 0.0
    assert seconds_for(1, 6.0, free_in=5.0) == 5.0
    assert seconds_for(11, 6.0, free_in=5.0) == 65.0


def test_scans_that_end_before_their_turn_are_counted_once() -> None:
    line = [
        Waiting(1, NOW + 1),
        Waiting(2, None),
        Waiting(3, NOW + 11),
        Waiting(3, NOW + 11),
        Waiting(4, NOW + 40),
    ]
    assert expiring(line, now=NOW, per_call=10.0) == 1, "scan 3 at its turns of 20 and 30 seconds"
    assert expiring(line[:1], now=NOW, per_call=10.0) == 0
    assert expiring(line[:1], now=NOW, per_call=10.0, free_in=2.0) == 1
    assert expiring([], now=NOW, per_call=10.0) == 0
