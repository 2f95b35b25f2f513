"""Erasing scans from the store: their bags, what is staged for them, and what tells of them."""

import html
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from export_pipeline.archive.bag import read_all
from export_pipeline.archive.dropping import Dropped, drop_scans
from export_pipeline.archive.layout import (
    CATALOG_FOLDER,
    FIXITY_FOLDER,
    INCOMING,
    REPORT_FOLDER,
    scan_prefix,
)
from export_pipeline.scans import ScanKey, escape
from export_pipeline.storage.store import Store

LOCKS_TOLD = 5
"""Objects that a store keeps, named one by one; the others are of the same scan."""


@dataclass(frozen=True)
class Kept:
    """What a store keeps of a scan, every version of each object counted.

    Args:
        objects: how many.
        bytes: how many they have.
        locks: which of them the store does not let go, each with the reason in words.
    """

    objects: int = 0
    bytes: int = 0
    locks: tuple[str, ...] = ()


def folders(key: ScanKey, order_ids: Sequence[str]) -> list[str]:
    """The folders that hold files of a scan: its bags, and what vendors staged for its orders."""
    return [scan_prefix(key), *(f"{INCOMING}{order_id}/" for order_id in order_ids)]


async def look(store: Store, of_scan: Sequence[str]) -> Kept:
    """Count what lies in the folders of a scan, and find what the store keeps."""
    objects, size, locks = 0, 0, list[str]()
    for folder in of_scan:
        async for found in store.versions(folder):
            objects, size = objects + 1, size + found.size
            if found.lock and len(locks) < LOCKS_TOLD:
                locks.append(f"{found.key} is kept by {found.lock}")
    return Kept(objects, size, tuple(locks))


async def erase_tables(store: Store, keys: Collection[ScanKey]) -> Dropped:
    """Take scans out of every snapshot of the catalog and every fixity record."""
    return await drop_scans(store, (CATALOG_FOLDER, FIXITY_FOLDER), keys)


async def erase_pages(store: Store, keys: Collection[ScanKey]) -> int:
    """Remove every page of a report that names one of the scans; return how many."""
    names = {name.encode() for key in keys for name in _spellings(key.scan)}
    pages = [found.key async for found in store.list(REPORT_FOLDER)]
    erased = 0
    for page in pages:
        text = await read_all(store, page)
        if any(name in text for name in names):
            erased += await store.erase(page)
    return erased


def _spellings(scan: str) -> tuple[str, ...]:
    return scan, html.escape(scan), html.escape(scan, quote=False), escape(scan)
