"""The inbox: webhooks as received, before anything acts on them."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Letter
from export_pipeline.ledger.schema import inbox

SCANS = "scans"
"""Topic of webhooks about a scan itself; the subject is the vendor's status word."""
ORDERS = "orders"
"""Topic of webhooks that end an order; the subject is our order id."""
CHECKS = "checks"
"""Topic of the posts by which `check` proves that the public address reaches this inbox."""


def receive(
    tx: Tx,
    *,
    vendor: str,
    account: str,
    topic: str,
    subject: str,
    headers: Mapping[str, str],
    body: bytes,
) -> int:
    """Keep a webhook and return its id; whoever answers 2xx does so after this is committed."""
    row = {
        "vendor": vendor,
        "account": account,
        "topic": topic,
        "subject": subject,
        "headers": dict(headers),
        "body": body,
        "state": "new",
        "reason": "",
        "received_at": tx.now,
    }
    result = tx.connection.execute(_RECEIVE, row)
    return int(result.inserted_primary_key[0]) if result.inserted_primary_key else 0


# Built once: every webhook runs it.
_RECEIVE = sa.insert(inbox)


def unhandled(tx: Tx, vendor: str, topic: str, limit: int) -> list[Letter]:
    """The oldest webhooks that nothing has acted on yet."""
    query = (
        sa.select(inbox)
        .where(inbox.c.vendor == vendor, inbox.c.topic == topic, inbox.c.state == "new")
        .order_by(inbox.c.id)
        .limit(limit)
    )
    return [_letter(row) for row in tx.all(query)]


def by_subject(tx: Tx, topic: str, subject: str) -> list[Letter]:
    """Every webhook of one subject, oldest first."""
    query = sa.select(inbox).where(inbox.c.topic == topic, inbox.c.subject == subject)
    return [_letter(row) for row in tx.all(query.order_by(inbox.c.id))]


def is_kept(tx: Tx, vendor: str, account: str, topic: str, subject: str) -> bool:
    """Whether a webhook of that subject came before."""
    query = sa.select(inbox.c.id).where(
        inbox.c.topic == topic,
        inbox.c.subject == subject,
        inbox.c.vendor == vendor,
        inbox.c.account == account,
    )
    return tx.one_or_none(query.limit(1)) is not None


def handled(tx: Tx, ids: Sequence[int]) -> int:
    """Mark webhooks as acted on; return how many nobody had acted on before."""
    return _close(tx, ids, "handled", "")


def reject(tx: Tx, letter_id: int, reason: str) -> None:
    """Set a webhook aside with the reason; `status` counts them, nothing deletes them."""
    _close(tx, [letter_id], "rejected", reason)


def drop(tx: Tx, letter_id: int) -> None:
    """Delete a webhook of what was forgotten."""
    tx.run(sa.delete(inbox).where(inbox.c.id == letter_id))


def count_rejected(tx: Tx) -> int:
    """How many webhooks could not be read."""
    query = sa.select(sa.func.count()).select_from(inbox).where(inbox.c.state == "rejected")
    return int(tx.connection.execute(query).scalar_one())


def count_unhandled(tx: Tx) -> dict[tuple[str, str], int]:
    """How many webhooks nothing has acted on yet, by vendor and topic; reads only those."""
    query = sa.select(inbox.c.vendor, inbox.c.topic, sa.func.count().label("letters"))
    query = query.where(inbox.c.state == "new").group_by(inbox.c.vendor, inbox.c.topic)
    return {(row.vendor, row.topic): row.letters for row in tx.all(query)}


def _close(tx: Tx, ids: Sequence[int], state: str, reason: str) -> int:
    return tx.run(
        sa.update(inbox)
        .where(inbox.c.id.in_(ids), inbox.c.state == "new")
        .values(state=state, reason=reason, handled_at=tx.now)
    )


def _letter(row: sa.Row[tuple[object, ...]]) -> Letter:
    return Letter(
        id=row.id,
        vendor=row.vendor,
        account=row.account,
        topic=row.topic,
        subject=row.subject,
        headers=row.headers,
        body=row.body,
        received_at=row.received_at,
    )
