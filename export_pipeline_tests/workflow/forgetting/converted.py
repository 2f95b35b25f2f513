"""Scans of which a PDF/A is archived, as CloudConvert makes it of a report (EXPORT_PDFA)."""

import asyncio

import sqlalchemy as sa

from export_pipeline.archive.layout import bag_prefix, payload_key, seal_key
from export_pipeline.ledger import cursors, generations, registry, schema
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.scans import ScanKey
from export_pipeline.settings import Settings
from export_pipeline.storage.store import Store, pieces
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.workflow.conversions import CURSOR, SETTLED_SECONDS, convert_sealed
from export_pipeline_tests.workflow.world import World


def converted(place: World, report: Scan) -> Scan:
    """Order the conversion of an archived report as the sensor does, and archive what it makes."""
    environment = {**place.environment, "EXPORT_CLOUDCONVERT_KEY": "k", "EXPORT_PDFA": "1"}
    settings = Settings.from_env(environment)
    assert settings.pdfa
    place.write(_make_old, report.id)
    vendor = CloudConvert(settings, place.ledger)
    place.write(convert_sealed, vendor, limit=1_000, secret=settings.tombstone_secret)
    scan = place.look(registry.get, ScanKey("cloudconvert", "default", f"{report.scan}.pdfa"))
    asyncio.run(_fill(place.store, scan, report.scan))
    place.write(_archive, scan.id)
    return place.look(registry.get, scan.key)


def _make_old(tx: Tx, scan_id: int) -> None:
    cursors.save(tx, CURSOR, [0.0, 0])
    of_scan = sa.update(schema.generations).where(schema.generations.c.scan_id == scan_id)
    tx.run(of_scan.values(sealed_at=tx.now - 2 * SETTLED_SECONDS))


async def _fill(store: Store, scan: Scan, report: str) -> None:
    bag = bag_prefix(scan.key, 1)
    for key in (payload_key(bag, "files/pdf_report.pdf"), seal_key(bag)):
        await store.put(key, pieces(f"made of {report}".encode()))


def _archive(tx: Tx, scan_id: int) -> None:
    tx.run(
        sa.update(schema.orders)
        .where(schema.orders.c.scan_id == scan_id)
        .values(state="closed", lease_until=None)
    )
    generations.freeze(tx, scan_id, 1, "archived", 1, 1)
    generations.sealed(tx, scan_id, 1, "0" * 64)
    registry.settle(tx, scan_id, ScanState.ARCHIVED)
