import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.archive.catalog import _MOMENT, _array
from export_pipeline.archive.moments import milliseconds, read_moment, write_moment

YEAR_2100 = 4_102_444_800.0
moments = st.floats(min_value=0, max_value=YEAR_2100)


@given(moments)
def test_a_moment_in_text_is_the_nearest_millisecond_and_stays_it(moment: float) -> None:
    again = read_moment(write_moment(moment))
    assert again is not None
    assert math.isclose(again, moment, abs_tol=0.000_51)
    assert milliseconds(again) == milliseconds(moment)
    assert write_moment(again) == write_moment(moment)


@given(moments)
def test_a_moment_in_a_table_is_the_one_in_the_text(moment: float) -> None:
    (cell,) = _array([moment], _MOMENT).cast(pa.int64()).to_pylist()
    assert cell == milliseconds(moment)


def test_a_moment_is_iso_8601_in_utc() -> None:
    assert write_moment(1_763_701_567.25) == "2025-11-21T05:06:07.250+00:00"
    assert write_moment(None) is None
    assert read_moment(None) is None


@pytest.mark.parametrize("text", ["", "yesterday", "2025-11-21T05:06:07.250"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_moment(text)
