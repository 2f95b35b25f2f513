"""Forget: delete all that there is of scans, so that nothing brings them back.

The tombstones are written first and the ledger's rows go last: a `forget` that was interrupted is
finished by the same call again. What no call can delete is told (`Forgotten.stays`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from export_pipeline.archive import erasure
from export_pipeline.archive.holds import hold_key
from export_pipeline.archive.layout import scan_prefix
from export_pipeline.errors import NotForgotten
from export_pipeline.ledger import erase, inbox, inventory, registry
from export_pipeline.ledger.database import Tx
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.forgetting.alone import alone
from export_pipeline.workflow.forgetting.burial import bury_scans
from export_pipeline.workflow.forgetting.forgettable import Candidate, Known, each_once
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline.workflow.register import read_registrations

NAME = "forget"
"""Of the lease: one at a time, since the archive's tables are written anew."""
PATIENCE_SECONDS = 150.0
"""Longer than the lease of a collector that died."""
LETTERS_PER_TURN = 100
STAYS = (
    "backups of the store, the ledger and Dagster's database; what the store keeps by soft delete",
    "what people downloaded, and until they end the links that they were given",
    "logs of the receiver and of Dagster's processes, and results of other scans that quote it",
    "alerts that were sent",
    "at the vendor: its own backups and logs, and the webhooks that it may send again",
)


class View(Protocol):
    """Where people see scans, beside the archive: Dagster."""

    def busy(self) -> str:
        """Why nothing may be taken out of it now, in words; "" if nothing is at work there."""

    def forget(self, keys: Sequence[ScanKey]) -> Sequence[str]:
        """Take scans out of it; return what stays there, a sentence each."""


@dataclass
class Forgotten:
    """What was deleted, and what was not.

    Args:
        keys: the scans.
        objects: of theirs in the store, every version counted.
        tables: snapshots of the catalog and fixity records written anew.
        pages: pages of reports removed.
        unreadable: tables that cannot be read and may name them still, each with what to do.
        stays: what still names them and no call can delete, a sentence each.
    """

    keys: list[ScanKey] = field(default_factory=list)
    objects: int = 0
    tables: int = 0
    pages: int = 0
    unreadable: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)


async def forget(
    pipeline: Pipeline,
    candidates: Sequence[Candidate],
    view: View,
    *,
    reason: str,
    at_vendor: bool = False,
    patience: float = PATIENCE_SECONDS,
) -> Forgotten:
    """Forget scans and what is made of them, all or none.

    Args:
        candidates: see `forgettable.look`.
        view: where else they are seen.
        reason: kept with their tombstones; it should name nobody.
        at_vendor: whether to delete them at the vendor too.
        patience: seconds to wait for those who work on them.

    Raises:
        NotForgotten: something keeps one of them; nothing was deleted.
        VendorError: it could not be deleted at the vendor, nor therefore here: call again.
        StoreError: the store failed, or keeps an object after all: call again.
    """
    if kept := [words for one in candidates for words in one.obstacles]:
        raise NotForgotten("; ".join(kept))
    async with alone(pipeline, NAME, patience):
        if busy := await asyncio.to_thread(view.busy):
            raise NotForgotten(f"nothing can be forgotten now: {busy}; try again when it is over")
        known = [one.known for one in each_once(candidates)]
        buried = await bury_scans(pipeline, known, reason, patience)
        if at_vendor:
            await _erase_at_vendor(buried)
        return await _erase(pipeline, buried, view, at_vendor=at_vendor)


async def _erase_at_vendor(buried: Sequence[Known]) -> None:
    try:
        for one in buried:
            if one.scan is not None:
                await one.vendor.erase(one.scan, one.orders)
    finally:
        for one in buried:
            await one.vendor.aclose()


async def _erase(
    pipeline: Pipeline, buried: Sequence[Known], view: View, *, at_vendor: bool
) -> Forgotten:
    keys = [one.key for one in buried]
    done = Forgotten(keys, await _erase_folders(pipeline, buried))
    dropped = await erasure.erase_tables(pipeline.store, keys)
    done.tables, done.unreadable = dropped.tables, dropped.unreadable
    done.pages = await erasure.erase_pages(pipeline.store, keys)
    in_view = await asyncio.to_thread(view.forget, keys)
    await _erase_letters(pipeline, buried)
    await pipeline.ledger.apply(_erase_rows, keys)
    # What came while the rows were there; what comes now is taken back by whoever takes it in.
    done.objects += await _erase_folders(pipeline, buried)
    done.stays += [*in_view, *_at_vendor(buried, at_vendor=at_vendor)]
    if busy := await asyncio.to_thread(view.busy):
        done.stays.append(f"perhaps what a run read before: {busy}; forget it again after that")
    if words := await asyncio.to_thread(pipeline.ledger.wipe):
        done.stays.append(words)
    done.stays += STAYS
    return done


def _at_vendor(buried: Sequence[Known], *, at_vendor: bool) -> list[str]:
    if not at_vendor:
        return ["the scan at the vendor, which nobody asked to delete (--at-vendor)"]
    keeps = dict.fromkeys(one.vendor.keeps for one in buried if one.vendor.keeps)
    unknown = [str(one.key) for one in buried if one.scan is None]
    stays = [*keeps, *(f"{name}, of which the ledger has no row" for name in unknown)]
    return [f"at the vendor: {words}" for words in stays]


async def _erase_folders(pipeline: Pipeline, buried: Sequence[Known]) -> int:
    folders = [folder for one in buried for folder in one.folders]
    return sum([await pipeline.store.erase(folder) for folder in folders])


async def _erase_letters(pipeline: Pipeline, buried: Sequence[Known]) -> None:
    """Delete the webhooks that name the scans; those of others are read first, or were lost."""
    for vendor in {one.key.vendor: one.vendor for one in buried}.values():
        while await pipeline.ledger.apply(_read_letters, vendor, pipeline.settings):
            pass
    for owner in sorted({(one.key.vendor, one.key.account) for one in buried}):
        wanted = [one.key for one in buried if (one.key.vendor, one.key.account) == owner]
        folders = [scan_prefix(key) for key in wanted]
        after, last = 0, -1
        while after != last:
            last = after
            after = await pipeline.ledger.apply(erase.erase_letters, wanted, folders, last)


def _read_letters(tx: Tx, vendor: Vendor, settings: Settings) -> bool:
    read_registrations(tx, vendor, settings, LETTERS_PER_TURN)
    return bool(inbox.unhandled(tx, vendor.name, inbox.SCANS, 1))


def _erase_rows(tx: Tx, keys: Sequence[ScanKey]) -> None:
    for key in keys:
        for name in (scan_prefix(key), hold_key(key)):
            inventory.drop(tx, name)
        scan = registry.find(tx, key)
        if scan is not None:
            erase.erase(tx, scan, scan_prefix(key))
