"""What is asked every few seconds, or once a page, is led by an index and sorts nothing large.

SQLite plans without statistics, so the plan for a few hundred scans is that for 100,000.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from export_pipeline.ledger import audits, registry, summary, turns
from export_pipeline.ledger.database import Ledger, Tx, sqlite_url
from export_pipeline.ledger.home import make_ledger
from export_pipeline_tests.benchmarks.filled import ACCOUNT, VENDOR, fill

SORTS = "USE TEMP B-TREE"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    made = make_ledger(sqlite_url(Path(tmp_path_factory.mktemp("ledger"))))
    fill(made, 200)
    yield made
    made.close()


def plan(ledger: Ledger, work: Callable[[Tx], object]) -> list[str]:
    """How SQLite answers every query of `work`, step by step."""
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    sa.event.listen(ledger.engine, "before_cursor_execute", note)
    try:
        with ledger.read() as tx:
            assert work(tx)
    finally:
        sa.event.remove(ledger.engine, "before_cursor_execute", note)
    with ledger.engine.connect() as connection:
        return [
            row[3]
            for statement, parameters in asked
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            if row[3] != "SCAN CONSTANT ROW"
        ]


@pytest.mark.parametrize(
    "work",
    [
        lambda tx: turns.next_in_queue(tx, VENDOR, ACCOUNT, backlog_turn=True),
        lambda tx: registry.soonest_to_expire(tx, VENDOR, 100),
        lambda tx: audits.page(tx, newest=True, limit=5),
        lambda tx: summary.find_scans(tx, limit=5),
    ],
    ids=["what to send", "what to queue", "a page of bags", "a page of scans"],
)
def test_it_reads_no_more_than_it_returns(ledger: Ledger, work: Callable[[Tx], object]) -> None:
    steps = plan(ledger, work)
    assert steps
    assert not [step for step in steps if step.startswith(("SCAN", SORTS))]


def test_what_is_to_be_shown_is_counted_without_all_that_was(ledger: Ledger) -> None:
    steps = plan(ledger, lambda tx: summary.count_unreported(tx) == 0)
    assert not [step for step in steps if step.startswith("SCAN reports")]


def test_the_oldest_open_order_is_looked_for_among_the_open_ones(ledger: Ledger) -> None:
    steps = plan(ledger, summary.oldest_open_order)
    assert not [step for step in steps if step.startswith("SCAN")]
