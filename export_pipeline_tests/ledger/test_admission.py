"""Which scans get a partition key, and in which order."""

from export_pipeline.ledger import admission, orders, registry, retirement
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import QueueClass, Scan, ScanState
from export_pipeline.scans import ScanKey


def key(name: str, account: str = "default") -> ScanKey:
    return ScanKey("copyleaks", account, name)


def register(tx: Tx, *names: str) -> list[Scan]:
    return [registry.register(tx, key(name), source="test")[0] for name in names]


def admit(tx: Tx, active_limit: int, chunk: int = 100) -> list[str]:
    chosen = admission.admit(tx, "copyleaks", active_limit=active_limit, chunk=chunk)
    return [scan.scan for scan in chosen]


def retire(tx: Tx, active_limit: int) -> list[str]:
    """Make room; nothing is old yet."""
    due = retirement.retirable(
        tx, "copyleaks", quiet_seconds=1e9, active_limit=active_limit, limit=100
    )
    return [scan.scan for scan in retirement.retire(tx, "copyleaks", due)]


def test_scans_are_admitted_up_to_the_limit_and_in_chunks(ledger: Ledger) -> None:
    with ledger.write() as tx:
        register(tx, "one", "two", "three", "four")
        assert admit(tx, active_limit=3, chunk=2) == ["one", "two"]
        assert admit(tx, active_limit=3) == ["three"]
        assert admit(tx, active_limit=3) == []
        assert admission.count_active(tx, "copyleaks") == 3


def order(tx: Tx, scan: Scan, queue_class: QueueClass) -> None:
    registry.set_generation(tx, scan.id, 1)
    orders.insert(tx, scan, generation=1, attempt=1, queue_class=queue_class)


def test_scans_activated_or_ordered_by_hand_are_admitted_whatever_the_limit(
    ledger: Ledger,
) -> None:
    with ledger.write() as tx:
        scans = register(tx, "one", "two", "three", "four")
        assert admit(tx, active_limit=1) == ["one"]
        admission.activate(tx, scans[2].id)
        order(tx, scans[3], QueueClass.HAND)
        assert admit(tx, active_limit=1) == ["three", "four"]
        assert admit(tx, active_limit=1) == []


def test_scans_that_a_schedule_ordered_are_admitted_only_while_there_is_room(
    ledger: Ledger,
) -> None:
    """Each night's orders got keys at once: 300,000 imported scans would have got as many."""
    with ledger.write() as tx:
        for scan in register(tx, "one", "two", "three"):
            order(tx, scan, QueueClass.NIGHTLY)
        assert admit(tx, active_limit=2) == ["one", "two"]
        assert admit(tx, active_limit=2) == []
        for name in ("one", "two"):
            registry.settle(tx, registry.get(tx, key(name)).id, ScanState.PARTIAL)
        assert retire(tx, active_limit=2) == ["one"]
        assert admit(tx, active_limit=2) == ["three"]


def test_what_is_sent_first_is_admitted_first_and_what_nobody_ordered_last(
    ledger: Ledger,
) -> None:
    with ledger.write() as tx:
        register(tx, "registered")
        for name, end, queue_class in (
            ("backlog", None, QueueClass.BACKLOG),
            ("backlog that ends", 5.0, QueueClass.BACKLOG),
            ("webhook", 9.0, QueueClass.WEBHOOK),
            ("webhook that ends", 7.0, QueueClass.WEBHOOK),
        ):
            scan, _ = registry.register(tx, key(name), source="test", expires_at=end)
            order(tx, scan, queue_class)
        registry.register(tx, key("registered that ends"), source="test", expires_at=1.0)
        assert admit(tx, active_limit=9) == [
            "webhook that ends",
            "webhook",
            "backlog that ends",
            "backlog",
            "registered that ends",
            "registered",
        ]
