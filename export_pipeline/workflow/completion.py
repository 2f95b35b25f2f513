"""The vendor's word that an order ended: read from the inbox, and noted however it came."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from export_pipeline.errors import BadInput
from export_pipeline.ledger import artifacts, events, inbox, orders, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Letter
from export_pipeline.vendors.completion import Completion
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.targets import endpoints

LETTERS_PER_TURN = 500


@dataclass(frozen=True)
class Read:
    """What a webhook says: the completion of its order, or why it cannot be used."""

    letter: Letter
    told: Completion | BadInput


async def read_completions(pipeline: Pipeline, limit: int = LETTERS_PER_TURN) -> int:
    """Turn completion webhooks in the inbox into completed orders; return how many were read.

    To know the URLs that an order named they are signed again, which may ask the store's cloud: so
    nothing is written meanwhile.
    """
    read = await pipeline.ledger.look(read_letters, pipeline, limit)
    if read:
        await pipeline.ledger.apply(note_letters, read)
    return len(read)


def read_letters(tx: Tx, pipeline: Pipeline, limit: int) -> list[Read]:
    """Read the oldest webhooks that nothing has acted on yet."""
    letters = inbox.unhandled(tx, pipeline.vendor.name, inbox.ORDERS, limit)
    return [Read(letter, _read(tx, pipeline, letter)) for letter in letters]


def _read(tx: Tx, pipeline: Pipeline, letter: Letter) -> Completion | BadInput:
    order = orders.get(tx, letter.subject)
    # Who signs webhooks of one account may name orders of all others in them.
    if order is None or (order.vendor, order.account) != (letter.vendor, letter.account):
        sender = f"{letter.vendor} account {letter.account}"
        return BadInput(f"no order {letter.subject} of {sender} in this ledger")
    scan, files = registry.by_id(tx, order.scan_id), artifacts.of_order(tx, order.id)
    named = endpoints(pipeline, scan, order, files)
    try:
        return pipeline.vendor.read_completion(letter.body, named)
    except BadInput as error:
        return error


def note_letters(tx: Tx, read: Sequence[Read]) -> None:
    """Note what webhooks say, each once, whoever else read it."""
    for one in read:
        if isinstance(one.told, BadInput):
            inbox.reject(tx, one.letter.id, str(one.told))
        elif inbox.handled(tx, [one.letter.id]):
            note_completion(tx, one.letter.subject, one.told)


def note_completion(tx: Tx, order_id: str, completion: Completion) -> None:
    """Note it by webhook, by poll or by the answer to the order; twice changes nothing."""
    order = orders.get(tx, order_id)
    if order is None:
        return
    word = asdict(completion)
    made = word.pop("vendor_order")
    event = "completed" if orders.completed(tx, order_id, word, made) else "told again"
    unhealthy = [one.name for one in completion.deliveries if not one.healthy]
    failure = {"failure": completion.failure} if completion.failure else {}
    events.record(tx, order.scan_id, event, order_id, unhealthy=unhealthy, **failure)
