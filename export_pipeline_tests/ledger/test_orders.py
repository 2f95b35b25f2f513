import pytest

from export_pipeline.ledger import orders, placed, registry, turns
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import Order, OrderState, Outcome, QueueClass, Scan
from export_pipeline.scans import ScanKey
from export_pipeline_tests.ledger.conftest import SteppedClock


def order(
    tx: Tx,
    name: str,
    queue_class: QueueClass = QueueClass.BACKLOG,
    *,
    expires_at: float | None = None,
    attempt: int = 1,
) -> str:
    key = ScanKey("copyleaks", "default", name)
    scan, _ = registry.register(tx, key, source="test", expires_at=expires_at)
    return orders.insert(tx, scan, generation=1, attempt=attempt, queue_class=queue_class)


def drain(tx: Tx, *, backlog_turn: bool = False) -> list[str]:
    """Scan names in the order in which the sender takes them."""
    names = {scan.id: scan.scan for scan in registry.page(tx, None, ["registered"])}
    drained = []
    while True:
        found = turns.next_in_queue(tx, "copyleaks", "default", backlog_turn=backlog_turn)
        if found is None:
            return drained
        assert orders.sending(tx, found, "me", seconds=60, deadline=tx.now + 7200)
        drained.append(names[found.scan_id])


def get(tx: Tx, order_id: str) -> Order:
    found = orders.get(tx, order_id)
    assert found is not None
    return found


def send(tx: Tx, order_id: str, owner: str = "me") -> int:
    tries = orders.sending(tx, get(tx, order_id), owner, seconds=60, deadline=tx.now + 7200)
    assert tries is not None
    return tries


def wait(tx: Tx, order_id: str, *, look_after: float) -> None:
    send(tx, order_id)
    orders.accepted(tx, order_id, request_id="r", vendor_order=None, look_after=look_after)


def test_an_id_never_changes_and_fits_the_vendor() -> None:
    key = ScanKey("copyleaks", "default", 'a/../b%2f;:"<x>')
    found = orders.derive_id(key, 1, 0, 1)
    assert found == "fe02057da9e26a8e3ce7f0d023969b5b"
    assert 3 <= len(found) <= 36
    others = {
        orders.derive_id(key, 2, 0, 1),
        orders.derive_id(key, 1, 1, 1),
        orders.derive_id(key, 1, 0, 2),
        orders.derive_id(ScanKey("copyleaks", "other", key.scan), 1, 0, 1),
    }
    assert len(others | {found}) == 5


def test_parts_of_one_attempt_are_numbered_and_the_next_attempt_begins_anew(
    ledger: Ledger, scan: Scan
) -> None:
    with ledger.write() as tx:
        for attempt in (1, 1, 2):
            orders.insert(tx, scan, generation=1, attempt=attempt, queue_class=QueueClass.HAND)
        found = orders.of_scan(tx, scan.id)
        assert [(one.attempt, one.part) for one in found] == [(1, 0), (1, 1), (2, 0)]
        assert orders.of_scan(tx, scan.id, generation=2) == []


def test_the_queue_goes_by_class_then_by_what_expires_first_then_by_age(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        order(tx, "backlog, never expires")
        order(tx, "backlog, expires", expires_at=clock.now + 9)
        order(tx, "nightly, expires late", QueueClass.NIGHTLY, expires_at=clock.now + 99)
        order(tx, "nightly, never expires", QueueClass.NIGHTLY)
    clock.step(1)
    with ledger.write() as tx:
        order(tx, "nightly, younger", QueueClass.NIGHTLY)
        order(tx, "webhook", QueueClass.WEBHOOK)
        order(tx, "hand", QueueClass.HAND)
        assert drain(tx) == [
            "hand",
            "webhook",
            "nightly, expires late",
            "nightly, never expires",
            "nightly, younger",
            "backlog, expires",
            "backlog, never expires",
        ]


def test_on_its_turn_the_backlog_goes_first_and_its_turn_is_not_wasted(ledger: Ledger) -> None:
    with ledger.write() as tx:
        order(tx, "hand", QueueClass.HAND)
        order(tx, "backlog")
        assert drain(tx, backlog_turn=True) == ["backlog", "hand"]


def test_an_order_queued_for_later_is_not_sent_before(ledger: Ledger, clock: SteppedClock) -> None:
    with ledger.write() as tx:
        order_id = order(tx, "one")
        assert drain(tx) == ["one"]
        orders.back_to_queue(tx, order_id, not_before=tx.now + 30, reason="HTTP 503")
        assert drain(tx) == []
        assert turns.earliest_due(tx, "copyleaks", "default") == tx.now + 30
    clock.step(30)
    with ledger.write() as tx:
        assert drain(tx) == ["one"]
        assert turns.earliest_due(tx, "copyleaks", "default") is None
        orders.back_to_queue(tx, order_id, not_before=tx.now, reason="HTTP 503")
        assert send(tx, order_id) == 3


def test_a_vendors_words_may_hold_any_character(ledger: Ledger) -> None:
    """A NUL in them failed each try to note them on Postgres, and so the account for good."""
    with ledger.write() as tx:
        order_id = order(tx, "one")
        send(tx, order_id)
        orders.back_to_queue(tx, order_id, not_before=tx.now, reason="no\0thing")
        orders.completed(tx, order_id, {"failure": "a\0b"}, "their\0s")
        found = get(tx, order_id)
    assert (found.reason, found.vendor_order) == ("no\ufffdthing", "their\ufffds")
    assert found.completion == {"failure": "a\0b"}


@pytest.mark.parametrize("owner", ["me", "another"])
def test_only_the_turn_that_came_last_may_send_and_each_time_is_counted(
    ledger: Ledger, clock: SteppedClock, owner: str
) -> None:
    with ledger.write() as tx:
        order_id = order(tx, "one")
        assert not orders.leaves(tx, order_id, 0)
        first = send(tx, order_id)
        taken = get(tx, order_id)
        assert taken.sends == 0
        assert orders.leaves(tx, order_id, first)
        assert not orders.leaves(tx, order_id, first + 1)
    clock.step(61)
    with ledger.write() as tx:
        placed.abandoned(tx, "copyleaks")
        assert not orders.leaves(tx, order_id, first)
        second = send(tx, order_id, owner)
        assert not orders.leaves(tx, order_id, first)
        assert not orders.renew(tx, taken, "me", seconds=60, tries=first)
        assert orders.of_turn(tx, order_id, first, *OrderState) is None
        assert orders.leaves(tx, order_id, second)
        assert orders.renew(tx, taken, owner, seconds=60, tries=second)
        assert orders.of_turn(tx, order_id, second, OrderState.QUEUED) is None
        assert orders.of_turn(tx, order_id, second, OrderState.SENDING) == get(tx, order_id)
        assert get(tx, order_id).sends == 2


def test_a_sender_does_not_keep_an_order_that_completed_meanwhile(ledger: Ledger) -> None:
    with ledger.write() as tx:
        order_id = order(tx, "one")
        tries = send(tx, order_id)
        taken = get(tx, order_id)
        assert orders.renew(tx, taken, "me", seconds=60, tries=tries)
        orders.completed(tx, order_id, {"healthy": True})
        assert not orders.renew(tx, taken, "me", seconds=60, tries=tries)
        assert placed.has_completed(tx, "copyleaks")


def test_a_scans_orders_are_promoted_and_never_demoted(ledger: Ledger) -> None:
    with ledger.write() as tx:
        first, second = order(tx, "one", QueueClass.HAND), order(tx, "one", attempt=2)
        turns.promote(tx, get(tx, first).scan_id, QueueClass.NIGHTLY)
        assert get(tx, first).queue_class == QueueClass.HAND
        assert get(tx, second).queue_class == QueueClass.NIGHTLY


def test_sending_again_keeps_the_first_deadline(ledger: Ledger, clock: SteppedClock) -> None:
    with ledger.write() as tx:
        order_id = order(tx, "one")
        send(tx, order_id)
        orders.back_to_queue(tx, order_id, not_before=tx.now, reason="HTTP 503")
        first = get(tx, order_id).deadline
    clock.step(1000)
    with ledger.write() as tx:
        send(tx, order_id)
        assert get(tx, order_id).deadline == first
        assert get(tx, order_id).sent_at == tx.now


def test_a_completion_that_overtakes_the_vendors_answer_stands(ledger: Ledger) -> None:
    with ledger.write() as tx:
        order_id = order(tx, "one")
        send(tx, order_id)
        assert orders.completed(tx, order_id, {"healthy": True})
        orders.accepted(tx, order_id, request_id="r", vendor_order="v", look_after=tx.now)
        found = get(tx, order_id)
    assert (found.state, found.request_id) == (OrderState.COMPLETED, "r")


def test_an_answer_that_comes_after_the_senders_lease_ended_spares_a_second_send(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        order_id = order(tx, "one")
        send(tx, order_id)
    clock.step(61)
    with ledger.write() as tx:
        assert [found.id for found in placed.abandoned(tx, "copyleaks")] == [order_id]
        orders.accepted(tx, order_id, request_id="r", vendor_order=None, look_after=tx.now + 9)
        assert get(tx, order_id).state == OrderState.WAITING
        assert drain(tx) == []


def test_a_word_that_comes_while_the_late_order_is_looked_after_is_kept(
    ledger: Ledger, clock: SteppedClock
) -> None:
    """The reconciler took the order as late; its webhook came during the look and was dropped."""
    with ledger.write() as tx:
        order_id = order(tx, "one")
        wait(tx, order_id, look_after=tx.now + 600)
    clock.step(600)
    with ledger.write() as tx:
        assert [found.id for found in placed.late(tx, "copyleaks", 10)] == [order_id]
        placed.take_completed(tx, "copyleaks", "me", limit=1, seconds=60)
        assert orders.completed(tx, order_id, {"healthy": False})
        assert not placed.has_completed(tx, "copyleaks")
        assert not orders.completed(tx, order_id, {"healthy": True})
        assert get(tx, order_id).completion == {"healthy": False}


def test_what_has_waited_longest_is_collected_first_with_or_without_a_word(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        ids = [order(tx, f"scan {number}") for number in range(4)]
        wait(tx, ids[0], look_after=tx.now + 20)
        for order_id in ids[1:]:
            wait(tx, order_id, look_after=tx.now + 600)
    for order_id, seconds in ((ids[1], 10), (ids[2], 20)):
        clock.step(seconds)
        with ledger.write() as tx:
            orders.completed(tx, order_id, {})
            placed.late(tx, "copyleaks", 10)
    with ledger.write() as tx:
        taken = placed.take_completed(tx, "copyleaks", "me", limit=3, seconds=60)
    assert [found.id for found in taken] == [ids[1], ids[0], ids[2]]


def test_completed_orders_are_taken_once_until_the_lease_ends(
    ledger: Ledger, clock: SteppedClock
) -> None:
    with ledger.write() as tx:
        ids = [order(tx, name) for name in ("one", "two")]
        for order_id in ids:
            wait(tx, order_id, look_after=tx.now + 600)
            orders.completed(tx, order_id, {})
        one = get(tx, ids[0]).scan_id

        def take() -> list[str]:
            found = placed.take_completed(tx, "copyleaks", "me", limit=9, seconds=60)
            return sorted(order.id for order in found)

        of_one = placed.take_completed(tx, "copyleaks", "me", limit=9, seconds=60, scan_ids=[one])
        assert [found.id for found in of_one] == [ids[0]]
        assert take() == [ids[1]]
        assert take() == []
    clock.step(60)
    with ledger.write() as tx:
        again = placed.take_completed(tx, "copyleaks", "other", limit=9, seconds=60)
        assert sorted(found.id for found in again) == sorted(ids)


def test_orders_are_counted_by_state(ledger: Ledger) -> None:
    with ledger.write() as tx:
        order(tx, "one")
        orders.close(tx, order(tx, "two"), Outcome.REFUSED, "HTTP 400")
        assert orders.count_by_state(tx, "copyleaks") == {"queued": 1, "closed": 1}
        assert orders.count_by_state(tx, "laserfiche") == {}
        assert orders.get(tx, "unknown") is None
