"""Note the vendor's word that an order ended, however it came."""

from dataclasses import asdict

from export_pipeline.ledger import events, orders
from export_pipeline.ledger.database import Tx
from export_pipeline.vendors.vendor import Completion


def note_completion(tx: Tx, order_id: str, completion: Completion) -> None:
    """Note it by webhook, by poll or by the answer to the order; twice changes nothing."""
    order = orders.get(tx, order_id)
    if order is None:
        return
    event = "completed" if orders.completed(tx, order_id, asdict(completion)) else "told again"
    unhealthy = [one.name for one in completion.deliveries if not one.healthy]
    failure = {"failure": completion.failure} if completion.failure else {}
    events.record(tx, order.scan_id, event, order_id, unhealthy=unhealthy, **failure)
