import string
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.vendors.retry_after import (
    CEILING_SECONDS,
    FLOOR_SECONDS,
    retry_after_seconds,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("17", 17),
        (" 17 ", 17),
        ("2.5", 2.5),
        ("0", FLOOR_SECONDS),
        ("-5", FLOOR_SECONDS),
        ("9" * 5000, CEILING_SECONDS),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", FLOOR_SECONDS),
        ("Sun, 01 Mar 2099 11:00:00 GMT", CEILING_SECONDS),
    ],
)
def test_seconds_and_dates_are_read_within_floor_and_ceiling(value: str, seconds: float) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds


@pytest.mark.parametrize("value", [None, "", "soon", "nan", "inf", "1e3", "٣", "Sun, 32 Foo 2026"])
def test_what_cannot_be_read_is_no_pause_at_all(value: str | None) -> None:
    assert retry_after_seconds(value, now=NOW) is None


@given(st.text() | st.text(alphabet=string.digits + string.ascii_letters + " ,:+-."))
def test_no_text_breaks_the_parser_or_its_bounds(value: str) -> None:
    seconds = retry_after_seconds(value, now=NOW)
    assert seconds is None or FLOOR_SECONDS <= seconds <= CEILING_SECONDS


@given(st.integers(min_value=1, max_value=3600))
def test_a_date_means_the_same_as_its_distance_in_seconds(seconds: int) -> None:
    date = format_datetime(datetime.fromtimestamp(NOW + seconds, UTC), usegmt=True)
    assert retry_after_seconds(date, now=NOW) == retry_after_seconds(str(seconds), now=NOW)
