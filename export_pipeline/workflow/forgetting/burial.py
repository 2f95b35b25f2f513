"""The burial: tombstones for scans, all or none, with which nobody works on them any more."""

from collections.abc import Iterator, Sequence

from export_pipeline.archive.layout import scan_prefix
from export_pipeline.archive.tombstones import Tombstone, bury
from export_pipeline.errors import NotForgotten
from export_pipeline.ledger import erase, leases, registry, tombstones
from export_pipeline.ledger.database import Tx
from export_pipeline.scans import ScanKey
from export_pipeline.workflow.conversions import conversions_of
from export_pipeline.workflow.forgetting.alone import LOOK_AGAIN_SECONDS
from export_pipeline.workflow.forgetting.forgettable import Known, obstacles, read_known
from export_pipeline.workflow.pipeline import Pipeline


async def bury_scans(
    pipeline: Pipeline, known: Sequence[Known], reason: str, patience: float
) -> Sequence[Known]:
    """Bury scans in ledger and store, and take them out of everybody's hands, once nobody works.

    Returns:
        What is known of them since then.

    Raises:
        NotForgotten: something keeps one of them, or is made of it meanwhile; none was buried.
    """
    left = patience
    while isinstance(buried := await pipeline.ledger.apply(_bury, pipeline, known, reason), str):
        if left <= 0:
            raise NotForgotten(f"{buried}; nothing was deleted: try again when that is over")
        await pipeline.sleep(LOOK_AGAIN_SECONDS)
        left -= LOOK_AGAIN_SECONDS
    await _bury_in_store(pipeline, buried)
    return buried


def _bury(
    tx: Tx, pipeline: Pipeline, looked_at: Sequence[Known], reason: str
) -> Sequence[Known] | str:
    """Bury them all, or none and return who works on one of them, or copies what is known."""
    secret = tombstones.require_key(tx, pipeline.settings.tombstone_secret)
    known = _anew(tx, pipeline, looked_at)
    kept = [words for one in known for words in obstacles(pipeline, one)]
    if kept := [*kept, *_made_meanwhile(tx, [one.key for one in known])]:
        raise NotForgotten("; ".join(kept))
    for one in known:
        at_work = erase.at_work(tx, one.scan, scan_prefix(one.key)) if one.scan else ""
        if at_work:
            return f"{one.key}: {at_work}"
    of_orders = [order.id for one in known for order in one.orders]
    if copied := leases.held_now(tx, leases.COPYING):
        return f"{copied} is being written"
    digests = [tombstones.key_digest(secret), *(one.digest for one in known)]
    digests += [tombstones.order_digest(secret, order_id) for order_id in of_orders]
    tombstones.add(tx, digests, reason, tx.now)
    for one in known:
        if one.scan:
            erase.stop(tx, one.scan)
    return _anew(tx, pipeline, looked_at)


def _anew(tx: Tx, pipeline: Pipeline, known: Sequence[Known]) -> list[Known]:
    return [read_known(tx, pipeline.settings, one.vendor, one.key) for one in known]


def _made_meanwhile(tx: Tx, keys: Sequence[ScanKey]) -> Iterator[str]:
    """What is made of the scans and is not among them: nobody looked whether it may go."""
    for key in keys:
        for made in conversions_of(key):
            if made not in keys and registry.find(tx, made) is not None:
                yield f"{key}: {made} is made of it since just now: try again"


async def _bury_in_store(pipeline: Pipeline, buried: Sequence[Known]) -> None:
    nobody = await pipeline.ledger.look(_nobody, pipeline)
    for tombstone in (nobody, *(one.tombstone for one in buried)):
        if tombstone is not None:
            await bury(pipeline.store, tombstone)


def _nobody(tx: Tx, pipeline: Pipeline) -> Tombstone | None:
    secret = tombstones.require_key(tx, pipeline.settings.tombstone_secret)
    digest = tombstones.key_digest(secret)
    found = tombstones.find(tx, digest)
    return Tombstone(digest, *found) if found else None
