"""Forgetting a scan leaves nothing of it, and takes nothing of anybody else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime

import httpx
import pyarrow as pa
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from export_pipeline.archive.fixity_records import SCHEMA
from export_pipeline.archive.layout import FIXITY_FOLDER, REPORT_FOLDER
from export_pipeline.archive.tables import read_table, table_key, write_table
from export_pipeline.archive.tombstones import read_tombstones
from export_pipeline.errors import ConfigError, VendorUnavailable
from export_pipeline.ledger import registry, schema, tombstones
from export_pipeline.ledger.rows import ScanState
from export_pipeline.scans import ScanKey
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import pieces
from export_pipeline_tests.workflow.forgetting.traces import (
    Seen,
    forgetting,
    key,
    naming,
    spec,
    spellings,
)
from export_pipeline_tests.workflow.world import World

HOSTILE = 'a/../b%2f;:"<x>=2e'

OTHER = "a/../b%2f;:"


def test_nothing_names_a_forgotten_scan_in_the_home_and_the_store(one_world: World) -> None:
    (one, _) = one_world.archive([spec(HOSTILE), spec(OTHER)])
    order = one_world.orders(HOSTILE)[0]
    before = one_world.stored(OTHER)
    pipeline, view = one_world.pipeline(), Seen()
    assert naming(one_world.home, *spellings(HOSTILE))
    done = one_world.run(pipeline, forgetting(one.key, view=view))
    assert done.keys == view.gone == [key(HOSTILE)]
    assert done.objects > 5
    assert "the log of the view" in done.stays
    one_world.ledger.wipe()
    assert naming(one_world.home, *spellings(HOSTILE), order.id.encode()) == []
    assert one_world.look(registry.find, one.key) is None
    assert one_world.scan(OTHER).state == ScanState.ARCHIVED
    assert one_world.stored(OTHER) == before == one_world.recorded(OTHER)


def test_with_another_key_nothing_is_registered_and_nothing_forgotten(one_world: World) -> None:
    (scan, other) = one_world.archive([spec("other-key"), spec("other-key-2")])
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    stranger = one_world.pipeline(tombstone_key=SecretStr("another"))
    with pytest.raises(ConfigError, match="EXPORT_TOMBSTONE_KEY is not the key"):
        one_world.run(stranger, forgetting(other.key))
    with pytest.raises(ConfigError, match="EXPORT_TOMBSTONE_KEY is not the key"):
        one_world.look(tombstones.forgotten, "another", [scan.key])
    with pytest.raises(ConfigError, match="EXPORT_TOMBSTONE_KEY is not set"):
        one_world.look(tombstones.forgotten, None, [scan.key])
    assert one_world.scan("other-key-2").state == ScanState.ARCHIVED


def test_the_store_has_a_tombstone_that_names_nobody(one_world: World) -> None:
    (scan,) = one_world.archive([spec("buried")])
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    secret = one_world.settings.tombstone_secret
    assert secret is not None
    digest = tombstones.scan_digest(secret, scan.key)

    async def stored() -> dict[str, str]:
        return {one.digest: one.reason async for one in read_tombstones(one_world.store)}

    found = asyncio.run(stored())
    assert found[digest] == "case 42"
    assert tombstones.key_digest(secret) in found


def test_every_snapshot_and_record_and_page_loses_its_rows_alone(one_world: World) -> None:
    one, other = one_world.archive([spec("in-tables"), spec("in-tables-too")])
    tables = [
        table_key(FIXITY_FOLDER, datetime(2026, 1, day, tzinfo=UTC), f"{day}aaaaaaaa")
        for day in (1, 2, 3)
    ]
    asyncio.run(write_fixity(one_world, tables[0], [one.key, other.key, one.key]))
    asyncio.run(write_fixity(one_world, tables[1], [other.key]))
    asyncio.run(write_fixity(one_world, tables[2], [one.key]))
    asyncio.run(put(one_world.store, f"{REPORT_FOLDER}1.html", b"<td>in-tables</td>"))
    asyncio.run(put(one_world.store, f"{REPORT_FOLDER}2.html", b"<td>another</td>"))
    done = one_world.run(one_world.pipeline(), forgetting(one.key))
    assert (done.tables, done.pages) == (2, 1)
    found = asyncio.run(read_fixity(one_world))
    assert [scans for _, scans in found] == [["in-tables-too"], ["in-tables-too"], []]
    names = [name for name, _ in found]
    assert names[1] == tables[1]
    assert names[0].startswith(tables[0].removesuffix(".parquet"))
    assert sorted(names) == names


def test_a_table_that_cannot_be_read_is_told_and_all_else_is_gone_until_it_is_put_right(
    one_world: World,
) -> None:
    (scan,) = one_world.archive([spec("beside-a-broken-table")])
    broken = one_world.home / "archive" / FIXITY_FOLDER / "2026-01-01t000000-broken.parquet"
    broken.parent.mkdir(exist_ok=True)
    broken.write_bytes(b"PAR1")
    done = one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert [words.partition(" cannot be read")[0] for words in done.unreadable] == [
        f"{FIXITY_FOLDER}{broken.name}"
    ]
    assert one_world.look(registry.find, scan.key) is None
    assert naming(one_world.home / "archive", b"beside-a-broken-table") == []
    broken.unlink()
    assert one_world.run(one_world.pipeline(), forgetting(scan.key)).unreadable == []


def test_deletion_at_the_vendor_comes_first_and_where_it_fails_nothing_goes_here(
    one_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scan,) = one_world.archive([spec("at-vendor")])
    before = one_world.stored("at-vendor")
    away = {"EXPORT_COPYLEAKS_API_URL": "http://127.0.0.1:9"}
    variables = {**one_world.settings.vendor_variables, **away}
    pipeline = one_world.pipeline(vendor_variables=variables)
    with pytest.raises(VendorUnavailable):
        one_world.run(pipeline, forgetting(scan.key, at_vendor=True))
    assert one_world.stored("at-vendor") == before
    assert one_world.scan("at-vendor").state == ScanState.FORGOTTEN
    done = one_world.run(one_world.pipeline(), forgetting(scan.key, at_vendor=True))
    assert not [words for words in done.stays if "--at-vendor" in words]
    with pytest.raises(httpx.HTTPStatusError):
        one_world.control("scans/complete", {"ids": ["at-vendor"]})


def test_a_scan_that_only_the_store_knows_is_forgotten_too(one_world: World) -> None:
    (scan,) = one_world.archive([spec("store-only")])
    for table in (schema.events, schema.reports, schema.artifacts, schema.orders):
        of_scan = sa.delete(table).where(table.c.scan_id == scan.id)
        one_world.write(lambda tx, gone=of_scan: tx.run(gone))
    one_world.write(lambda tx: tx.run(sa.delete(schema.generations)))
    one_world.write(lambda tx: tx.run(sa.delete(schema.scans).where(schema.scans.c.id == scan.id)))
    one_world.run(one_world.pipeline(), forgetting(scan.key))
    assert naming(one_world.home / "archive", b"store-only") == []


async def put(store: LocalStore, name: str, data: bytes) -> None:
    await store.put(name, pieces(data))


async def write_fixity(place: World, name: str, keys: list[ScanKey]) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {**asdict(one), "generation": 1, "audited_at": moment, "files": 1, "bytes": 1, "damage": ""}
        for one in keys
    ]

    async def batches() -> AsyncIterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist(rows, SCHEMA)

    await write_table(place.store, name, SCHEMA, batches())


async def read_fixity(place: World) -> list[tuple[str, list[str]]]:
    """Each fixity record with the scans in it."""
    names = [one.key async for one in place.store.list(FIXITY_FOLDER)]
    return [
        (
            name,
            [
                row["scan"]
                async for part in read_table(place.store, name, SCHEMA)
                for row in part.to_pylist()
            ],
        )
        for name in names
    ]
