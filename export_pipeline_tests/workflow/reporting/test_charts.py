import pytest

from export_pipeline.ledger.figures import SealedDay, StateCount
from export_pipeline.ledger.rows import ScanState
from export_pipeline.workflow.reporting.charts import BARS, HEIGHT, WIDTH, stacks, timeline
from export_pipeline.workflow.reporting.report_markdown import CELLS, bar, code, spark


def test_each_day_is_a_bar_until_there_are_more_than_bars() -> None:
    chart = timeline([SealedDay(10, 1, 50), SealedDay(12, 2, 100)], today=13)
    assert chart is not None
    assert [(one.first, one.last, one.bytes) for one in chart.bars] == [
        (10, 10, 50),
        (11, 11, 0),
        (12, 12, 100),
        (13, 13, 0),
    ]
    assert [one.height for one in chart.bars] == [HEIGHT / 2, 0, HEIGHT, 0]
    assert chart.line.split()[0] == "0,160"
    assert chart.line.split()[-1] == "720.0,0.0"
    assert (chart.highest, chart.total) == (100, 150)


@pytest.mark.parametrize("days", [BARS, BARS + 1, 500, 4_000])
def test_years_fit_into_as_many_bars_as_fit_and_none_is_lost(days: int) -> None:
    chart = timeline([SealedDay(100 + n, 1, 7) for n in range(days)], today=99 + days)
    assert chart is not None
    assert len(chart.bars) <= BARS
    assert sum(one.bytes for one in chart.bars) == 7 * days
    assert (chart.bars[0].first, chart.bars[-1].last) == (100, 99 + days)
    last = chart.bars[-1]
    assert last.x + last.width <= WIDTH
    assert all(one.y + one.height == pytest.approx(HEIGHT) for one in chart.bars)


def test_without_anything_sealed_there_is_no_chart_and_of_empty_bags_a_flat_one() -> None:
    assert timeline([], today=5) is None
    flat = timeline([SealedDay(5, 1, 0)], today=4)
    assert flat is not None
    assert [one.height for one in flat.bars] == [0]


def test_a_vendor_s_states_fill_its_bar() -> None:
    found = stacks(
        [
            StateCount("b", ScanState.FAILED, 1),
            StateCount("a", ScanState.FAILED, 1),
            StateCount("a", ScanState.ARCHIVED, 3),
        ]
    )
    assert list(found) == ["a", "b"]
    assert [(one.state, one.x, one.width) for one in found["a"]] == [
        (ScanState.ARCHIVED, 0, WIDTH * 3 / 4),
        (ScanState.FAILED, WIDTH * 3 / 4, WIDTH / 4),
    ]


def test_bars_of_characters_show_even_the_least_and_are_never_wider_than_the_whole() -> None:
    assert (bar(0), bar(1), bar(0.5), bar(0.00001)) == ("", "█" * CELLS, "█" * 6, "▏")
    assert spark([0, 0.00001, 0.5, 1]) == "·▁▄█"


def test_an_id_in_a_cell_of_markdown_ends_neither_its_code_nor_its_cell() -> None:
    assert code("a`b|c\nd") == "`a\N{PRIME}b\\|c d`"
