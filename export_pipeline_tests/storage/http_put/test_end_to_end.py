"""A store that neither lists nor signs: everything comes through the receiver."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import bagit
import pytest

from export_pipeline.archive.audit import audit
from export_pipeline.archive.catalog import SCHEMA, write_catalog
from export_pipeline.archive.layout import bag_prefix
from export_pipeline.archive.tables import read_table
from export_pipeline.ledger.rows import ScanState
from export_pipeline.sandbox import ScanSpec
from export_pipeline.storage.http_put.store import HttpPutStore
from export_pipeline.workflow.auditing.inventory import Inventory, take_inventory
from export_pipeline_tests.servers.receiver import running_receiver
from export_pipeline_tests.workflow.world import world

HOSTILE = 'a/../b%2f;:"<x>'


@pytest.mark.parametrize("server", ["store", "careless"])
def test_scans_are_archived_listed_and_audited(
    tmp_path: Path, server: str, request: pytest.FixtureRequest
) -> None:
    store: HttpPutStore = request.getfixturevalue(server)
    specs = [ScanSpec(HOSTILE), ScanSpec("scan-2", traits=("lost_answer:overview",))]
    with (
        world(tmp_path / "home") as place,
        running_receiver(place.ledger, store) as addresses,
    ):
        scans = replace(place, store=store, addresses=addresses).archive(specs)
    assert [scan.state for scan in scans] == [ScanState.ARCHIVED] * 2

    async def look() -> None:
        for scan in scans:
            report = await audit(store, bag_prefix(scan.key, 1))
            assert report.passed, report.problems
            assert report.files > 4
        inventory = await take_inventory(place.ledger, store)
        assert inventory == Inventory()
        catalog = await write_catalog(place.ledger, store, datetime.now(UTC), "run-1")
        read = read_table(store, catalog.key, SCHEMA)
        rows = [row async for batch in read for row in batch.to_pylist()]
        assert {row["scan"] for row in rows} == {HOSTILE, "scan-2"}
        assert None not in [row["size"] for row in rows]

    asyncio.run(look())


def test_a_bag_fetched_from_the_server_is_valid_for_any_bagit_reader(
    tmp_path: Path, store: HttpPutStore
) -> None:
    with (
        world(tmp_path / "home") as place,
        running_receiver(place.ledger, store) as addresses,
    ):
        [scan] = replace(place, store=store, addresses=addresses).archive([ScanSpec("scan-1")])

    async def fetch() -> None:
        async for found in store.list(prefix):
            file = tmp_path / "bag" / found.key.removeprefix(prefix)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"".join([chunk async for chunk in store.open(found.key)]))

    prefix = bag_prefix(scan.key, 1)
    asyncio.run(fetch())
    bagit.Bag(str(tmp_path / "bag")).validate()
