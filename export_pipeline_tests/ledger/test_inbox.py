from export_pipeline.ledger import inbox
from export_pipeline.ledger.database import Ledger, Tx


def receive(tx: Tx, subject: str, topic: str = inbox.SCANS, body: bytes = b"{}") -> int:
    return inbox.receive(
        tx,
        vendor="copyleaks",
        account="default",
        topic=topic,
        subject=subject,
        headers={"content-type": "application/json"},
        body=body,
    )


def test_a_webhook_is_kept_as_it_came_until_something_acts_on_it(ledger: Ledger) -> None:
    body = bytes(range(256))
    with ledger.write() as tx:
        letter_id = receive(tx, "completed", body=body)
    with ledger.write() as tx:
        (letter,) = inbox.unhandled(tx, "copyleaks", inbox.SCANS, 10)
        assert (letter.id, letter.body, letter.received_at) == (letter_id, body, tx.now)
        assert letter.headers == {"content-type": "application/json"}
        inbox.handled(tx, [letter_id])
        assert inbox.unhandled(tx, "copyleaks", inbox.SCANS, 10) == []
        assert inbox.by_subject(tx, inbox.SCANS, "completed") == [letter]


def test_webhooks_come_oldest_first_by_topic_and_no_more_than_asked_for(ledger: Ledger) -> None:
    with ledger.write() as tx:
        ids = [receive(tx, f"order {number}", inbox.ORDERS) for number in range(3)]
        receive(tx, "completed")
        found = inbox.unhandled(tx, "copyleaks", inbox.ORDERS, 2)
        assert [letter.id for letter in found] == ids[:2]
        assert inbox.unhandled(tx, "laserfiche", inbox.ORDERS, 2) == []
        assert inbox.by_subject(tx, inbox.SCANS, "order 0") == []


def test_a_webhook_that_cannot_be_read_is_set_aside_and_counted(ledger: Ledger) -> None:
    with ledger.write() as tx:
        inbox.reject(tx, receive(tx, "completed", body=b"\x00"), "not JSON")
        assert inbox.unhandled(tx, "copyleaks", inbox.SCANS, 10) == []
        assert inbox.count_rejected(tx) == 1
        assert len(inbox.by_subject(tx, inbox.SCANS, "completed")) == 1
