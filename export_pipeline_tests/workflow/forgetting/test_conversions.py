"""The PDF/A of a report goes with its scan, is held with it, and leaves nothing either."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from export_pipeline.errors import NotForgotten
from export_pipeline.ledger import registry, retention, schema, tombstones
from export_pipeline.ledger.rows import Scan, ScanState
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredVersion
from export_pipeline.vendors.cloudconvert.exports import CloudConvert
from export_pipeline.workflow.forgetting.hold import hold, release
from export_pipeline.workflow.forgetting.retention import Retained, retain
from export_pipeline.workflow.pipeline import Pipeline
from export_pipeline_tests.workflow.forgetting.converted import converted
from export_pipeline_tests.workflow.forgetting.traces import Seen, forgetting, naming, spellings
from export_pipeline_tests.workflow.world import World

HOSTILE = 'a/../b%2f;:"<x>=2e'
DAY_SECONDS = 86_400.0


def archived(place: World, name: str) -> tuple[Scan, Scan]:
    """A scan with its report, and the PDF/A of that."""
    (scan,) = place.archive([ScanSpec(name, results=1)])
    return scan, converted(place, scan)


def of_cloudconvert(place: World) -> Pipeline:
    pipeline = place.pipeline()
    return replace(pipeline, vendor=CloudConvert(pipeline.settings, place.ledger))


def grow_old(place: World, scan: Scan, days: float) -> None:
    old = sa.update(schema.generations).where(schema.generations.c.scan_id == scan.id)
    place.write(lambda tx: tx.run(old.values(sealed_at=tx.now - days * DAY_SECONDS)))


def due(place: World, vendor: str, days: int) -> list[str]:
    return [one.scan.scan for one in place.look(retention.due, vendor, days)]


@pytest.mark.parametrize("name", ["with-pdfa", HOSTILE])
def test_the_pdfa_of_a_report_goes_with_its_scan(one_world: World, name: str) -> None:
    scan, pdfa = archived(one_world, name)
    secret = one_world.settings.tombstone_secret
    assert secret is not None
    view = Seen()
    done = one_world.run(one_world.pipeline(), forgetting(scan.key, view=view))
    assert set(done.keys) == set(view.gone) == {scan.key, pdfa.key}
    one_world.ledger.wipe()
    assert naming(one_world.home, *spellings(name)) == []
    for key in (scan.key, pdfa.key):
        assert one_world.look(registry.find, key) is None
        assert one_world.look(tombstones.find, tombstones.scan_digest(secret, key))


def test_a_hold_on_the_scan_holds_its_pdfa(one_world: World) -> None:
    scan, pdfa = archived(one_world, "held-source")
    grow_old(one_world, pdfa, 40)
    place = (one_world.settings, one_world.ledger, one_world.store)
    assert "held-source.pdfa" in due(one_world, "cloudconvert", 30)
    asyncio.run(hold(*place, scan.key, "case 7"))
    assert "held-source.pdfa" not in due(one_world, "cloudconvert", 30)
    with pytest.raises(NotForgotten, match=r"held-source is on hold since .*: case 7; release it"):
        one_world.run(of_cloudconvert(one_world), forgetting(pdfa.key))
    asyncio.run(release(one_world.ledger, one_world.store, scan.key))
    one_world.run(of_cloudconvert(one_world), forgetting(pdfa.key))
    assert one_world.scan("held-source").state == ScanState.ARCHIVED


def test_a_hold_or_a_lock_on_the_pdfa_keeps_its_scan_whole(one_world: World) -> None:
    scan, pdfa = archived(one_world, "held-pdfa")
    before = one_world.stored("held-pdfa")
    place = (one_world.settings, one_world.ledger, one_world.store)
    asyncio.run(hold(*place, pdfa.key, "case 8"))
    with pytest.raises(NotForgotten, match=r"held-pdfa.pdfa is on hold since .*: case 8"):
        one_world.run(one_world.pipeline(), forgetting(scan.key))
    asyncio.run(release(one_world.ledger, one_world.store, pdfa.key))
    locking = replace(one_world.pipeline(), store=LockingStore(one_world.home / "archive"))
    with pytest.raises(NotForgotten, match=r"pdf_report.pdf is kept by a lock until 2040"):
        one_world.run(locking, forgetting(scan.key))
    assert one_world.stored("held-pdfa") == before
    assert one_world.look(registry.get, pdfa.key).state == ScanState.ARCHIVED


def test_the_retention_takes_a_fresh_pdfa_along(one_world: World) -> None:
    scan, pdfa = archived(one_world, "retained")
    grow_old(one_world, scan, 40)

    async def work(pipeline: Pipeline) -> Retained:
        return await retain(pipeline, 30, Seen())

    told = one_world.run(one_world.pipeline(), work)
    assert (told.forgotten, told.kept) == (2, [])
    assert one_world.look(registry.find, pdfa.key) is None


def test_a_conversion_that_is_ordered_meanwhile_is_not_left_behind(one_world: World) -> None:
    (scan,) = one_world.archive([ScanSpec("meanwhile", results=1)])

    class ConvertingSeen(Seen):
        """Dagster, asked whether it is busy, right before the scan is buried."""

        def busy(self) -> str:
            if one_world.look(registry.find, pdfa_key) is None:
                converted(one_world, scan)
            return ""

    pdfa_key = ScanKey("cloudconvert", "default", "meanwhile.pdfa")
    with pytest.raises(NotForgotten, match=r"meanwhile.pdfa is made of it since just now"):
        one_world.run(one_world.pipeline(), forgetting(scan.key, view=ConvertingSeen()))
    assert one_world.scan("meanwhile").state == ScanState.ARCHIVED
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert one_world.look(registry.find, pdfa_key) is None


class LockingStore(LocalStore):
    """A store that keeps one PDF/A."""

    async def versions(self, key: str) -> AsyncIterator[StoredVersion]:
        async for found in super().versions(key):
            is_kept = "/held-pdfa.pdfa/" in found.key and found.key.endswith(".pdf")
            yield replace(found, lock="a lock until 2040" if is_kept else "")
