from export_pipeline.ledger import events
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import Event, Scan
from export_pipeline_tests.ledger.conftest import SteppedClock


def test_a_scans_history_is_told_in_order_with_its_facts(
    ledger: Ledger, scan: Scan, clock: SteppedClock
) -> None:
    begin = clock.now
    clock.step(5)
    with ledger.write() as tx:
        events.record(tx, scan.id, "queued", "order-1", attempt=1, artifacts=["overview"])
        events.record(tx, scan.id, "sent", "order-1")
        assert events.history(tx, scan.id) == [
            Event(begin, "registered", None, {"source": "test"}),
            Event(begin + 5, "queued", "order-1", {"attempt": 1, "artifacts": ["overview"]}),
            Event(begin + 5, "sent", "order-1", {}),
        ]
        assert events.history(tx, scan.id + 1) == []
