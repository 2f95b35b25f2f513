"""Verify sealed bags: every byte reread against its seal, and the seal against the ledger."""

from collections.abc import Mapping, Sequence

from export_pipeline.archive.bag import read_bag
from export_pipeline.archive.fixity import FixityReport, fixity
from export_pipeline.archive.layout import bag_prefix
from export_pipeline.errors import BadInput, StoreError
from export_pipeline.ledger import artifacts, summary
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.rows import ArtifactState, Scan
from export_pipeline.storage.store import Store

BAGS_PER_TURN = 100


async def verify_all(ledger: Ledger, store: Store, *, newest: bool) -> FixityReport:
    """Verify every bag that the ledger calls sealed; `newest`: one of each scan."""
    total = FixityReport(complete=True)
    after = (0, 0)
    while page := await ledger.look(
        summary.sealed, after=after, newest=newest, limit=BAGS_PER_TURN
    ):
        await _verify(ledger, store, [(scan, one.number) for scan, one in page], total)
        after = (page[-1][1].scan_id, page[-1][1].number)
    return total


async def verify_scan(
    ledger: Ledger, store: Store, scan: Scan, *, newest: bool, total: FixityReport
) -> None:
    """Verify the sealed bags of one scan, and count them in `total`."""
    found = await ledger.look(summary.generations_of, scan.id)
    numbers = [one.number for one in found if one.sealed_at is not None]
    if not numbers:
        total.problems.append(f"{scan.key}: nothing of it is sealed, it is {scan.state.value}")
        return
    chosen = numbers[-1:] if newest else numbers
    await _verify(ledger, store, [(scan, number) for number in chosen], total)


async def _verify(
    ledger: Ledger, store: Store, bags: Sequence[tuple[Scan, int]], total: FixityReport
) -> None:
    prefixes = [bag_prefix(scan.key, number) for scan, number in bags]
    found = await fixity(store, prefixes)
    total.audited += found.audited
    total.failed += found.failed
    total.files += found.files
    total.bytes += found.bytes
    total.problems += found.problems
    for (scan, number), prefix in zip(bags, prefixes, strict=True):
        if prefix not in found.failed:
            recorded = await ledger.look(_recorded, scan.id, number)
            problems = await _against_ledger(store, prefix, recorded)
            total.problems += problems
            total.failed += [prefix] if problems else []


def _recorded(tx: Tx, scan_id: int, number: int) -> dict[str, str]:
    every = artifacts.of_generation(tx, scan_id, number)
    return {one.name: one.sha256 or "" for one in every if one.state == ArtifactState.VERIFIED}


async def _against_ledger(store: Store, prefix: str, recorded: Mapping[str, str]) -> list[str]:
    """What the ledger records otherwise than a bag that is as it was sealed."""
    try:
        sealed = (await read_bag(store, prefix)).payload
    except (BadInput, StoreError) as error:
        return [f"{prefix}: {error}"]
    return [
        f"{prefix}data/{name} is not what the ledger recorded"
        for name in sorted(recorded.keys() | sealed.keys())
        if recorded.get(name) != sealed.get(name)
    ]
