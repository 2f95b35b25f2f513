from hypothesis import given
from hypothesis import strategies as st

from export_pipeline.archive.pace import BAG_BYTES, cost, pace

BAGS = st.integers(0, 10_000)
BYTES = st.integers(0, 10**15)


@given(BAGS, BYTES, st.integers(1, 400))
def test_without_a_cap_the_whole_is_reread_within_the_days(
    bags: int, payload: int, days: int
) -> None:
    chosen = pace(bags, payload, days=days, most=None)
    assert chosen.is_enough
    assert chosen.days <= days
    assert chosen.budget * days >= cost(bags, payload)


@given(BAGS, BYTES, st.integers(1, 400), st.integers(1, 10**15))
def test_a_cap_is_kept_and_says_when_the_days_cannot_be(
    bags: int, payload: int, days: int, most: int
) -> None:
    chosen = pace(bags, payload, days=days, most=most)
    assert 1 <= chosen.budget <= most
    assert chosen.is_enough == (chosen.days <= days)


def test_empty_bags_take_their_turn_too() -> None:
    assert pace(90, 0, days=90, most=None).budget == BAG_BYTES


def test_a_run_of_an_empty_archive_asks_for_the_least() -> None:
    assert pace(0, 0, days=90, most=None).budget == 1
