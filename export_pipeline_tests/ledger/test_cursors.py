from contextlib import suppress

from export_pipeline.ledger import cursors
from export_pipeline.ledger.database import Ledger


def test_a_cursor_stands_where_it_was_moved_last(ledger: Ledger) -> None:
    with ledger.write() as tx:
        assert cursors.load(tx, "a/../b%2f") is None
        cursors.save(tx, "a/../b%2f", {"modified": "2026-03-01"})
        cursors.save(tx, "another", [1])
        cursors.save(tx, "a/../b%2f", {"modified": "2026-03-02"})
    with ledger.read() as tx:
        assert cursors.load(tx, "a/../b%2f") == {"modified": "2026-03-02"}
        assert cursors.load(tx, "another") == [1]


def test_a_cursor_does_not_move_if_what_was_read_is_not_kept(ledger: Ledger) -> None:
    with suppress(RuntimeError), ledger.write() as tx:
        cursors.save(tx, "discovery", 1)
        raise RuntimeError
    with ledger.read() as tx:
        assert cursors.load(tx, "discovery") is None
