"""Put an order into the queue, and have Dagster show that it is there."""

from collections.abc import Sequence

from export_pipeline.ledger import artifacts, events, orders, reports
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import QueueClass, Scan

ORDER = "order"
"""The asset that stands for a scan's orders."""


def queue(
    tx: Tx,
    scan: Scan,
    generation: int,
    names: Sequence[str],
    *,
    attempt: int,
    queue_class: QueueClass,
) -> str:
    """Queue one order that is to bring these artifacts, return its id."""
    order_id = orders.insert(
        tx, scan, generation=generation, attempt=attempt, queue_class=queue_class
    )
    artifacts.assign(tx, scan.id, generation, names, order_id)
    events.record(
        tx,
        scan.id,
        "queued",
        order_id,
        attempt=attempt,
        queue_class=queue_class.name.lower(),
        artifacts=list(names),
    )
    return order_id


def report_order(
    tx: Tx,
    scan: Scan,
    generation: int,
    order_ids: Sequence[str],
    artifact_count: int,
    queue_class: QueueClass,
) -> None:
    """Have Dagster show that the orders are accepted into the queue."""
    reports.add(
        tx,
        scan_id=scan.id,
        vendor=scan.vendor,
        generation=generation,
        asset=ORDER,
        status="queued",
        orders=list(order_ids),
        artifacts=artifact_count,
        queue_class=queue_class.name.lower(),
    )
