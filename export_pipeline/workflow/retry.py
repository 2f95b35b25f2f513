"""Retry by hand: what failed, or with a new generation what a sealed bag lacks."""

from collections.abc import AsyncIterator, Sequence

from export_pipeline.ledger import registry, summary
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import QueueClass, Scan, ScanState
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.order import Requested, put_back, request, retry
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.renew import renew_sealed

COMPLETE = "complete: its newest generation lacks nothing that can be had"
SCANS_PER_PAGE = 100


async def retry_scan(pipeline: Pipeline, scan: Scan, *, new_generation: bool, named: bool) -> str:
    """Queue one scan again, and say what it came to.

    Args:
        pipeline: of the scan's vendor.
        scan: in any state.
        new_generation: let a sealed scan go on in its next generation: a partial one with only
            what is missing ordered, an archived one, if it was named, from the start.
        named: whether a person named this scan; only then is an expired one asked for again.
    """
    if new_generation and scan.state == ScanState.PARTIAL:
        renewed = await renew_sealed(pipeline, scan, QueueClass.HAND)
        return Requested.QUEUED if renewed else COMPLETE
    if new_generation and named and scan.state == ScanState.ARCHIVED:
        return await pipeline.ledger.apply(_once_more, pipeline.vendor, scan)
    if named and scan.state == ScanState.EXPIRED:
        return await pipeline.ledger.apply(_put_back, pipeline.vendor, scan)
    return await pipeline.ledger.apply(_retry, pipeline.vendor, scan)


def _once_more(tx: Tx, vendor: Vendor, scan: Scan) -> Requested:
    current = registry.by_id(tx, scan.id)
    return request(tx, vendor, current, queue_class=QueueClass.HAND, new_generation=True)


def _put_back(tx: Tx, vendor: Vendor, scan: Scan) -> Requested:
    current = registry.by_id(tx, scan.id)
    if current.state != ScanState.EXPIRED:
        return _retry(tx, vendor, current)
    return put_back(tx, vendor, current, queue_class=QueueClass.HAND, why="named by hand")


def _retry(tx: Tx, vendor: Vendor, scan: Scan) -> Requested:
    return retry(tx, vendor, registry.by_id(tx, scan.id), queue_class=QueueClass.HAND)


async def in_states(
    ledger: Ledger,
    states: Sequence[ScanState],
    account: str | None,
    vendor: str | None = None,
) -> AsyncIterator[Scan]:
    """Yield the scans that are in one of the states now, in order of registration."""
    after = 0
    while page := await ledger.look(
        summary.find_scans,
        states=states,
        account=account,
        vendor=vendor,
        after=after,
        limit=SCANS_PER_PAGE,
    ):
        for scan in page:
            yield scan
        after = page[-1].id
