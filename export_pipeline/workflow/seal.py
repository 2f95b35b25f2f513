"""Seal a frozen generation, or make way for the next one where its bytes are broken.

Who seals with one key writes the same bytes, and any number may at once. Who seals with another
would replace what the first began: a lease in the ledger, owned by the key, keeps them apart.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from export_pipeline.archive import bag
from export_pipeline.archive.bag import Bag, PayloadFile
from export_pipeline.archive.layout import bag_prefix, scan_prefix, seal_key
from export_pipeline.archive.moments import write_moment
from export_pipeline.archive.signature import Keys
from export_pipeline.errors import StoreError, StoreUnavailable
from export_pipeline.ledger import artifacts, events, generations, leases, orders, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import ArtifactState, Event, GenerationState, Scan, ScanState
from export_pipeline.receiver.guard import writing
from export_pipeline.workflow import describe
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.provenance import Contents, write_provenance
from export_pipeline.workflow.renew import renew
from export_pipeline.workflow.settle import BROKEN, report

LEASE_SECONDS = 60.0
MARGIN_SECONDS = 10.0
"""What is sent to the store by then has landed before another key may begin."""


async def seal(pipeline: Pipeline, scan: Scan, number: int) -> None:
    """Write the bag of a frozen generation and settle the scan; finishes an interrupted seal.

    What came too late, when it was settled as missing or absent already, is deleted: the bag's
    manifest does not name it. What was written of a scan that was forgotten meanwhile is erased.

    Raises:
        StoreError: the store failed, or holds another seal; the reconciler tries again.
    """
    await _seal(pipeline, scan, number)
    if await pipeline.ledger.look(_is_forgotten, scan):
        await pipeline.store.erase(scan_prefix(scan.key))


def _is_forgotten(tx: Tx, scan: Scan) -> bool:
    states = [one.state for one in registry.by_ids(tx, [scan.id])]
    return not states or states[0] == ScanState.FORGOTTEN


async def _seal(pipeline: Pipeline, scan: Scan, number: int) -> None:
    contents = await pipeline.ledger.look(_contents, scan, number)
    if contents.generation.state != GenerationState.FROZEN:
        return
    if contents.generation.verdict == BROKEN:
        if await renew(pipeline, scan, contents.generation):
            await _seal(pipeline, scan, number)
        return
    payload = [
        PayloadFile(one.name, one.size or 0, one.sha256 or "")
        for one in contents.of(ArtifactState.VERIFIED)
    ]
    prefix = bag_prefix(scan.key, number)
    for one in contents.given_up:
        await pipeline.store.delete(pipeline.key(scan, number, one.name))
    keys = Keys.of(pipeline.settings)
    asked_at = asyncio.get_running_loop().time()
    if not await pipeline.ledger.apply(_take, contents, keys):
        return
    async with (
        _in_time(prefix, asked_at),
        writing(pipeline.ledger, pipeline.store, seal_key(prefix)),
    ):
        info, provenance = _info(contents), write_provenance(contents)
        made = await bag.seal(pipeline.store, prefix, payload, info, provenance, keys)
    await pipeline.ledger.apply(_sealed, pipeline, contents, made, keys)


def _take(tx: Tx, contents: Contents, keys: Keys) -> bool:
    """Keep those with other keys away; False if there is nothing to seal any more.

    Raises:
        StoreUnavailable: one of them seals it now, or died and its lease is not over.
    """
    scan, number = contents.scan, contents.generation.number
    current = generations.find(tx, scan.id, number)
    if current is None or current.state != GenerationState.FROZEN:
        return False
    prefix = bag_prefix(scan.key, number)
    if not leases.acquire(tx, leases.SEALING + prefix, keys.signing_id, LEASE_SECONDS):
        raise StoreUnavailable(f"{prefix!r} is being sealed with another signing key")
    return True


@asynccontextmanager
async def _in_time(prefix: str, asked_at: float) -> AsyncIterator[None]:
    """Break off what is done inside before the lease, asked for at that time, would end."""
    try:
        async with asyncio.timeout_at(asked_at + LEASE_SECONDS - MARGIN_SECONDS) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise StoreUnavailable(f"{prefix!r} was not sealed within the time of its lease") from None


async def seal_if_possible(pipeline: Pipeline, scan: Scan, number: int) -> None:
    """Seal; where the store fails, note why and leave it to the reconciler."""
    try:
        await seal(pipeline, scan, number)
    except StoreError as error:
        await pipeline.ledger.apply(_not_sealed, scan, str(error))


def _not_sealed(tx: Tx, scan: Scan, reason: str) -> None:
    events.record(tx, scan.id, "not sealed yet", reason=reason)


def _contents(tx: Tx, scan: Scan, number: int) -> Contents:
    generation = generations.get(tx, scan.id, number)
    return Contents(
        scan=registry.by_id(tx, scan.id),
        generation=generation,
        artifacts=artifacts.of_generation(tx, scan.id, number),
        # Of earlier generations too: one of those may have brought what this one carries over.
        orders=[one for one in orders.of_scan(tx, scan.id) if one.generation <= number],
        events=_until_frozen(events.history(tx, scan.id), number),
    )


def _until_frozen(history: Sequence[Event], number: int) -> list[Event]:
    """The history up to the last freeze of this generation: the same at every try to seal it."""
    frozen = [
        index
        for index, event in enumerate(history)
        if event.event == "frozen" and event.detail.get("generation") == number
    ]
    return list(history[: frozen[-1] + 1]) if frozen else list(history)


def _info(contents: Contents) -> dict[str, str | Sequence[str]]:
    scan, generation = contents.scan, contents.generation
    frozen_at = datetime.fromtimestamp(generation.frozen_at or 0.0, UTC)
    info: dict[str, str | Sequence[str]] = {
        "External-Identifier": scan.scan,
        "Bagging-Date": frozen_at.date().isoformat(),
        "Export-Vendor": scan.vendor,
        "Export-Account": scan.account,
        "Export-Generation": str(generation.number),
        "Export-Verdict": generation.verdict,
        "Export-Sealed-At": write_moment(generation.frozen_at) or "",
    }
    missing = contents.of(ArtifactState.MISSING)
    if missing:
        info["Export-Missing"] = [f"{one.name}: {one.reason}" for one in missing]
    return info


def _sealed(tx: Tx, pipeline: Pipeline, contents: Contents, made: Bag, keys: Keys) -> None:
    scan, generation = contents.scan, contents.generation
    leases.release(tx, leases.SEALING + made.prefix, keys.signing_id)
    if not generations.sealed(tx, scan.id, generation.number, made.seal_sha256):
        return
    if pipeline.vendor.deletes_archived:
        generations.tidy(tx, scan.id, generation.number, tx.now)
    shown = describe.bag(scan, generation, contents.artifacts, sealed_at=tx.now)
    registry.settle(tx, scan.id, ScanState(generation.verdict), shown[1]["reason"])
    events.record(tx, scan.id, "sealed", generation=generation.number, verdict=generation.verdict)
    report(tx, scan, generation.number, describe.BAG, shown)
