"""Nothing is forgotten while somebody copies what is known of scans, from a command line too."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from export_pipeline.archive.catalog import write_catalog
from export_pipeline.archive.signature import NO_KEYS
from export_pipeline.errors import NotForgotten
from export_pipeline.ledger import leases
from export_pipeline.sandbox import ScanSpec
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import StoredObject
from export_pipeline.workflow.auditing.bags import every_bag
from export_pipeline.workflow.auditing.verify import Auditor
from export_pipeline.workflow.rebuilding.rebuild import rebuild
from export_pipeline_tests.archive.catalogs import KEY, VENDORS
from export_pipeline_tests.workflow.forgetting.traces import forgetting, naming
from export_pipeline_tests.workflow.world import World

MOMENT = datetime(2026, 11, 22, tzinfo=UTC)


class Meeting(LocalStore):
    """A store in which somebody else does something right before a table is written."""

    def __init__(self, root: Path, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(root)
        self._meanwhile = meanwhile

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        if key.endswith(".parquet"):
            await self._meanwhile()
        return await super().put(key, chunks, content_type=content_type)


def refused(place: World, key: ScanKey, words: str) -> Callable[[], Awaitable[None]]:
    """Somebody tries to forget the scan, and is told why not."""

    async def work() -> None:
        with pytest.raises(NotForgotten, match=f"{words}; nothing was deleted"):
            await forgetting(key, patience=1.0)(place.pipeline())

    return work


def test_a_catalog_that_is_being_written_is_waited_for(one_world: World) -> None:
    (scan,) = one_world.archive([ScanSpec("in-catalog", results=1)])
    meanwhile = refused(
        one_world, scan.key, r"catalog/2026-11-22t000000-catalog.parquet is being written"
    )
    store = Meeting(one_world.home / "archive", meanwhile)
    made = asyncio.run(write_catalog(one_world.ledger, store, MOMENT, "catalog"))
    assert made.rows.total() > 0
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert naming(one_world.home / "archive", b"in-catalog") == []


def test_the_record_of_an_audit_that_is_being_written_is_waited_for(one_world: World) -> None:
    (scan,) = one_world.archive([ScanSpec("in-record", results=1)])
    meanwhile = refused(one_world, scan.key, "fixity/audit is being written")
    store = Meeting(one_world.home / "archive", meanwhile)
    auditor = Auditor(one_world.ledger, store, NO_KEYS, "audit")
    report = asyncio.run(auditor.audit(every_bag(one_world.ledger, scan_id=scan.id)))
    assert (report.bags, report.unkept) == (1, [])
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert naming(one_world.home / "archive", b"in-record") == []


def test_a_ledger_that_is_being_rebuilt_is_waited_for(one_world: World) -> None:
    (scan,) = one_world.archive([ScanSpec("in-rebuilt", results=1)])
    meanwhile = refused(one_world, scan.key, r"the rebuilt ledger \(\w+\) is being written")

    async def work() -> None:
        steps = rebuild(one_world.ledger, one_world.store, VENDORS, tombstone_secret=KEY)
        async for _ in steps:
            await meanwhile()

    asyncio.run(work())
    one_world.run(one_world.pipeline(), forgetting(scan.key))


def test_a_writer_that_died_is_waited_for_until_its_lease_is_over(one_world: World) -> None:
    (scan,) = one_world.archive([ScanSpec("in-dead", results=1)])
    one_world.write(leases.acquire, f"{leases.COPYING}catalog/a.parquet", "the dead", 2.0)
    one_world.run(one_world.pipeline(), forgetting(scan.key, patience=5.0))
    assert naming(one_world.home / "archive", b"in-dead") == []
