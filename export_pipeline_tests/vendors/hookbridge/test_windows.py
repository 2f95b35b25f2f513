from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.errors import ConfigError
from export_pipeline.vendors.hookbridge.details import ExportDetails
from export_pipeline.vendors.hookbridge.filters import Direction, Filters
from export_pipeline.vendors.hookbridge.options import HookBridgeOptions
from export_pipeline.vendors.hookbridge.windows import due, over_until, windows
from export_pipeline.vendors.options import read_options

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC).timestamp()
HOUR = timedelta(hours=1)


def filters(scan_id: str) -> Filters:
    found = Filters.of_scan_id(scan_id)
    assert found is not None
    return found


def options(**variables: str) -> HookBridgeOptions:
    given = {f"EXPORT_HOOKBRIDGE_{name}": value for name, value in variables.items()}
    return read_options(HookBridgeOptions, given)


def scans(**variables: str) -> list[str]:
    return [one.scan for one in due(options(**variables), NOW)]


def test_each_day_has_a_window_named_after_it() -> None:
    found = windows(date(2024, 2, 28), date(2024, 3, 2))
    assert [one.scan for one in found] == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert found[0].details == {
        "filters": {"start_time": "2024-02-28T00:00:00Z", "end_time": "2024-02-29T00:00:00Z"}
    }


def test_a_registration_holds_the_filters_of_its_id() -> None:
    for one in windows(date(2024, 3, 30), date(2024, 4, 2), BERLIN, tuple(Direction)):
        assert ExportDetails.model_validate(one.details) == ExportDetails.of_scan_id(one.scan)


@given(
    st.dates(date(2000, 1, 1), date(2090, 1, 1)),
    st.integers(0, 40),
    st.sampled_from(["UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu"]),
)
def test_windows_leave_no_gap_and_do_not_overlap(start: date, days: int, zone: str) -> None:
    found = [one.scan for one in windows(start, start + timedelta(days=days), ZoneInfo(zone))]
    assert len(set(found)) == days
    ends = [(filters(one).start_time, filters(one).end_time) for one in found]
    assert all(before[1] == after[0] for before, after in pairwise(ends))


def test_days_of_the_change_of_time_have_23_or_25_hours() -> None:
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    lengths = [
        filters(one.scan).end_time - filters(one.scan).start_time
        for day in (spring, autumn)
        for one in windows(day, day + timedelta(days=1), BERLIN)
    ]
    assert lengths == [23 * HOUR, 25 * HOUR]


def test_a_start_that_is_not_over_has_no_window() -> None:
    assert windows(date(2026, 11, 22), date(2026, 11, 22)) == []
    assert windows(date(2026, 11, 23), date(2026, 11, 22)) == []


def test_without_a_start_only_yesterday_is_due() -> None:
    assert scans() == ["2026-11-21"]


def test_every_day_is_due_since_the_end_of_the_last_window_that_was_registered() -> None:
    told = options(ZONE="Europe/Berlin")
    known = over_until(told, NOW - 3 * 86_400)
    assert known == datetime(2026, 11, 19, tzinfo=BERLIN)
    found = due(told, NOW, known=known)
    assert [one.scan[:10] for one in found] == ["2026-11-18", "2026-11-19", "2026-11-20"]
    assert filters(found[0].scan).start_time == known
    assert due(told, NOW, known=over_until(told, NOW)) == []


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kathmandu", "UTC"])
def test_another_zone_leaves_no_gap_behind_what_was_registered(zone: str) -> None:
    known = over_until(options(ZONE="Europe/Berlin"), NOW - 3 * 86_400)
    first, *_ = due(options(ZONE=zone), NOW, known=known)
    assert filters(first.scan).start_time <= known


def test_with_a_start_every_day_since_is_due() -> None:
    found = scans(START="2020-01-01")
    assert (found[0], found[-1]) == ("2020-01-01", "2026-11-21")
    assert len(found) == (date(2026, 11, 22) - date(2020, 1, 1)).days


def test_both_directions_have_windows_of_their_own() -> None:
    assert scans(DIRECTION="both") == ["2026-11-21", "2026-11-21.inbound"]


def test_one_direction_alone_can_be_chosen() -> None:
    assert scans(DIRECTION="inbound") == ["2026-11-21.inbound"]


def test_a_day_is_over_when_it_is_over_in_its_zone() -> None:
    assert scans(ZONE="America/Los_Angeles") == ["2026-11-20t080000z_2026-11-21t080000z"]


def test_a_run_by_hand_chooses_its_days_and_never_one_that_is_not_over() -> None:
    found = due(options(), NOW, date(2026, 11, 19), date(2026, 12, 24))
    assert [one.scan for one in found] == ["2026-11-19", "2026-11-20", "2026-11-21"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("START", "yesterday"),
        ("START", "21.11.2026"),
        ("ZONE", "Berlin"),
        ("ZONE", "../etc/passwd"),
        ("DIRECTION", "sideways"),
        ("DELETE", "perhaps"),
        ("REQUESTS_PER_MINUTE", "0"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"^EXPORT_HOOKBRIDGE_{name}"):
        options(**{name: value})
