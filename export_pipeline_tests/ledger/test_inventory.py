from export_pipeline.ledger import generations, inventory, orders, registry
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import GenerationState, Outcome, QueueClass, Scan
from export_pipeline.scans import ScanKey


def test_of_many_folders_those_that_the_ledger_knows_are_told(ledger: Ledger, scan: Scan) -> None:
    with ledger.write() as tx:
        generations.open_next(tx, scan, wants_bag=True)
        same_id, _ = registry.register(tx, ScanKey("laserfiche", "default", "one"), source="test")
        asked = [
            (scan.key, 1),
            (scan.key, 2),
            (same_id.key, 1),
            *((ScanKey("copyleaks", "default", f"s-{number}"), 1) for number in range(1_500)),
        ]
        assert inventory.states(tx, asked) == {(scan.key, 1): (scan.id, GenerationState.OPEN)}
        assert inventory.last_scan_id(tx) == same_id.id


def test_an_empty_ledger_has_no_last_scan(ledger: Ledger) -> None:
    with ledger.read() as tx:
        assert inventory.last_scan_id(tx) == 0


def test_a_closed_order_is_open_no_more(ledger: Ledger, scan: Scan) -> None:
    with ledger.write() as tx:
        ids = [
            orders.insert(tx, scan, generation=1, attempt=1, queue_class=QueueClass.HAND)
            for _ in range(2)
        ]
        orders.close(tx, ids[0], Outcome.DELIVERED)
        assert inventory.open_orders(tx, [*ids, "unknown"]) == {ids[1]}


def test_problems_are_those_noted_last_without_what_was_dropped(ledger: Ledger) -> None:
    folder = "copyleaks/default/a=2fb/"
    with ledger.write() as tx:
        assert inventory.noted(tx) == inventory.Problems()
        inventory.note(tx, ["before"])
        inventory.note(tx, [f"{folder}1/ is strange", *(f"{number}.txt" for number in range(30))])
        assert inventory.noted(tx).count == 31
        assert len(inventory.noted(tx).first) == inventory.PROBLEMS_KEPT
        inventory.drop(tx, folder)
        inventory.drop(tx, "copyleaks/default/other/")
        left = inventory.noted(tx)
    assert (left.count, left.first[0]) == (30, "0.txt")
