import pytest

from export_pipeline.sandbox import ScanSpec, SteppedClock
from export_pipeline.sandbox.limits import Limit, SlidingWindows

TEN_A_MINUTE = Limit("ten", 10, 60)


@pytest.fixture
def clock():
    return SteppedClock()


def test_no_window_wherever_it_begins_holds_more_calls_than_the_limit(clock):
    windows = SlidingWindows(clock)
    clock.advance(55)
    taken = [windows.take("a", [TEN_A_MINUTE]) for _ in range(10)]
    clock.advance(10)  # a fixed window would have begun anew

    assert taken == [None] * 10
    assert windows.take("a", [TEN_A_MINUTE]) == 50
    clock.advance(50)
    assert windows.take("a", [TEN_A_MINUTE]) is None


def test_calls_are_told_by_limit_with_the_time_they_span(clock):
    windows = SlidingWindows(clock)
    for _ in range(11):
        windows.take("a", [TEN_A_MINUTE])
        clock.advance(5)

    told = windows.as_json()
    assert told == {"limited": {"ten": 1}, "allowed": {"ten": {"calls": 10, "seconds": 45}}}


def test_evenly_spaced_calls_are_never_refused(clock):
    windows = SlidingWindows(clock)
    for _ in range(1000):
        assert windows.take("a", [TEN_A_MINUTE]) is None
        clock.advance(6)
    assert not windows.violations


def test_a_refused_call_uses_up_no_window_and_other_accounts_are_free(clock):
    windows = SlidingWindows(clock)
    one_a_second = Limit("one", 1, 1)
    windows.take("a", [one_a_second, TEN_A_MINUTE])
    refused = [windows.take("a", [one_a_second, TEN_A_MINUTE]) for _ in range(20)]
    clock.advance(1)

    assert None not in refused
    assert windows.violations == {"one": 20}
    assert windows.take("a", [one_a_second, TEN_A_MINUTE]) is None
    assert windows.take("b", [one_a_second, TEN_A_MINUTE]) is None


def test_the_11th_export_in_a_minute_is_refused_with_retry_after(start_api, clock):
    api = start_api(clock, pace="documented")
    api.add(ScanSpec("essay-1"))
    statuses = []
    for number in range(11):
        clock.advance(1)
        answer = api.export("essay-1", f"export-{number}")
        statuses.append(answer.status_code)

    assert statuses == [204] * 10 + [429]
    assert answer.headers["Retry-After"] == "50"
    assert answer.json()["error"]["type"] == "api_error"
    clock.advance(50)
    assert api.export("essay-1", "export-10").status_code == 204
    assert api.sandbox.stats()["limited"] == {"exports_per_minute": 1}


def test_the_11th_call_in_a_second_is_refused(start_api, clock):
    api = start_api(clock, pace="documented", retry_after=False)
    api.add(ScanSpec("essay-1"))
    answers = [api.call("POST", "/v3/scans/essay-1/webhooks/resend") for _ in range(11)]

    assert [answer.status_code for answer in answers] == [202] * 10 + [429]
    assert "Retry-After" not in answers[-1].headers
    assert api.sandbox.stats()["limited"] == {"requests_per_second": 1}


def test_the_fast_pace_takes_many_exports(api):
    api.add(ScanSpec("essay-1"))

    answers = {api.export("essay-1", f"export-{number}").status_code for number in range(60)}

    assert answers == {204}
