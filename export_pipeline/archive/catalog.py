"""The catalog: one row per archived artifact, from the ledger, as Parquet beside the bags.

The ledger can be made anew from the bags (`workflow/rebuilding`), and the catalog with it.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from export_pipeline.archive.layout import CATALOG_FOLDER, bag_prefix, payload_key
from export_pipeline.archive.moments import PER_SECOND
from export_pipeline.archive.tables import table_key, write_table
from export_pipeline.ledger.audits import CLOCKS_APART
from export_pipeline.ledger.database import Ledger, Tx
from export_pipeline.ledger.held import copying
from export_pipeline.ledger.rows import ArtifactState, GenerationState
from export_pipeline.ledger.schema import artifacts, generations, orders, scans, tombstones
from export_pipeline.scans import ScanKey
from export_pipeline.storage.store import Store, StoredObject

ROWS_PER_BATCH = 500
"""Rows that are Python objects at one time: each takes ten times what it does in a table."""
SCANS_PER_PAGE = 500
KEPT_DAYS = 31
"""For so long every snapshot stays; after that the last of each month does."""
_SNAPSHOT = re.compile(rf"{CATALOG_FOLDER}\d{{4}}-\d\d-\d\dt\d{{6}}-")
_MONTH = len(CATALOG_FOLDER) + len("2026-11")
_MOMENT = pa.timestamp("ms", tz="UTC")
SCHEMA = pa.schema(
    [
        ("vendor", pa.string()),
        ("account", pa.string()),
        ("scan", pa.string()),
        ("generation", pa.int32()),
        ("status", pa.string()),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("vendor_name", pa.string()),
        ("vendor_order", pa.string()),
        ("order_id", pa.string()),
        ("missing", pa.bool_()),
        ("reason", pa.string()),
        ("size", pa.int64()),
        ("sha256", pa.string()),
        ("content_type", pa.string()),
        ("members", pa.list_(pa.string())),
        ("key", pa.string()),
        ("bag", pa.string()),
        ("ordered", _MOMENT),
        ("completed", _MOMENT),
        ("delivered", _MOMENT),
        ("sealed", _MOMENT),
        ("verified_last", _MOMENT),
        ("damage", pa.string()),
    ]
)
"""In order of vendor, account, scan, generation and name; what is unknown is null.

`scan`, `vendor_name` and `vendor_order` are the vendor's own ids, `order_id` is ours. `status` is
the bag's, `archived` or `partial`; a missing artifact has a row with its reason and without size,
sha256 and key. `members` are the files inside a ZIP. `ordered` is when the order was sent,
`completed` the vendor's word of its end, `delivered` when the bytes passed through us, `sealed`
when what the bag holds was fixed, `verified_last` when every byte was last reread, and `damage`
what that found in the bag.
"""


@dataclass(frozen=True)
class Snapshot:
    """A catalog as written.

    Args:
        key: its key in the store.
        size: in bytes.
        rows: (vendor, status) -> how many rows.
    """

    key: str
    size: int
    rows: Counter[tuple[str, str]]


async def write_catalog(ledger: Ledger, store: Store, moment: datetime, run_id: str) -> Snapshot:
    """Write the catalog as it is now beside the older ones; whole or not at all.

    No scan is forgotten meanwhile, unless this process stood still for long: then it is written
    anew.

    Args:
        ledger: what is archived.
        store: where to.
        moment: of writing, by which the snapshots are in order.
        run_id: whose it is: two runs at one moment write two snapshots.

    Raises:
        StoreError: the store refused it.
    """
    key = table_key(CATALOG_FOLDER, moment, run_id)
    async with copying(ledger, key):
        while True:
            buried = await ledger.look(_buried)
            made = await _write(ledger, store, key)
            if await ledger.look(_buried) == buried:
                return made
            await store.erase(key)


def _buried(tx: Tx) -> int:
    query = sa.select(sa.func.count()).select_from(tombstones)
    return int(tx.connection.execute(query).scalar_one())


async def _write(ledger: Ledger, store: Store, key: str) -> Snapshot:
    rows: Counter[tuple[str, str]] = Counter()

    async def counted() -> AsyncIterator[pa.RecordBatch]:
        async for batch in batches(ledger):
            vendors, statuses = (batch.column(name).to_pylist() for name in ("vendor", "status"))
            rows.update(zip(vendors, statuses, strict=True))
            yield batch

    written = await write_table(store, key, SCHEMA, counted())
    return Snapshot(key, written.size, rows)


async def thin(store: Store, now: datetime) -> int:
    """Erase old snapshots, all versions of each; return how many.

    Raises:
        StoreError: the store keeps one; those before it are gone.
    """
    keys = [found.key async for found in store.list(CATALOG_FOLDER)]
    thinned = superfluous(keys, now)
    for key in thinned:
        await store.erase(key)
    return len(thinned)


def superfluous(keys: Iterable[str], now: datetime) -> list[str]:
    """Snapshots older than `KEPT_DAYS` that are not the last of their month."""
    end = table_key(CATALOG_FOLDER, now - timedelta(days=KEPT_DAYS), "")
    old = [key for key in sorted(keys) if _SNAPSHOT.match(key) and key < end]
    lasting = {key[:_MONTH]: key for key in old}
    return [key for key in old if lasting[key[:_MONTH]] != key]


async def newest(store: Store, now: datetime) -> StoredObject | None:
    """The newest snapshot, None before the first.

    One of the future was written while a clock was wrong, and is passed over.
    """
    end = table_key(CATALOG_FOLDER, now + CLOCKS_APART, "")
    return next((one for one in await snapshots(store) if one.key < end), None)


async def snapshots(store: Store) -> list[StoredObject]:
    """Every snapshot that is kept, newest first."""
    found = [one async for one in store.list(CATALOG_FOLDER) if _SNAPSHOT.match(one.key)]
    return sorted(found, key=lambda one: one.key, reverse=True)


async def batches(ledger: Ledger) -> AsyncIterator[pa.RecordBatch]:
    """The catalog in batches of `ROWS_PER_BATCH`, all of one moment."""
    with ledger.read() as tx:
        pages = _pages(tx)
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            yield page


def _pages(tx: Tx) -> Iterator[pa.RecordBatch]:
    rows = _rows(tx)
    while some := list(islice(rows, ROWS_PER_BATCH)):
        yield _batch(dict(zip(some[0]._fields, zip(*some, strict=True), strict=True)))


def _rows(tx: Tx) -> Iterator[sa.Row[Any]]:
    """Every row, scans by pages: a sort of all of them would not fit into memory."""
    names = _by_bytes(tx, scans.c.vendor, scans.c.account, scans.c.scan)
    after: Sequence[str] = ("", "", "")
    while True:
        chosen = sa.select(*names, scans.c.id).where(sa.tuple_(*names) > tuple(after))
        page = tx.all(chosen.order_by(*names).limit(SCANS_PER_PAGE))
        if not page:
            return
        yield from tx.connection.execute(
            _query(tx).where(scans.c.id.in_([row.id for row in page])),
            execution_options={"yield_per": ROWS_PER_BATCH},
        )
        after = page[-1][:-1]


def _query(tx: Tx) -> sa.Select[Any]:
    is_kept = artifacts.c.state == ArtifactState.VERIFIED
    kept = {
        name: sa.case((is_kept, artifacts.c[name])).label(name)
        for name in ("size", "sha256", "content_type")
    }
    last = sa.func.coalesce(generations.c.audited_at, artifacts.c.verified_at)
    columns = (
        scans.c.vendor,
        scans.c.account,
        scans.c.scan,
        generations.c.number.label("generation"),
        generations.c.verdict.label("status"),
        artifacts.c.kind,
        artifacts.c.name,
        _unless_empty(artifacts.c.vendor_name),
        orders.c.vendor_order,
        artifacts.c.order_id,
        (artifacts.c.state == ArtifactState.MISSING).label("missing"),
        _unless_empty(artifacts.c.reason),
        *kept.values(),
        artifacts.c.details[("opened", "names")].label("members"),
        orders.c.sent_at.label("ordered"),
        orders.c.completed_at.label("completed"),
        artifacts.c.delivered_at.label("delivered"),
        generations.c.frozen_at.label("sealed"),
        sa.case((is_kept, last)).label("verified_last"),
        _unless_empty(generations.c.damage),
    )
    of_generation = sa.and_(
        artifacts.c.scan_id == scans.c.id, artifacts.c.generation == generations.c.number
    )
    return (
        sa.select(*columns)
        .select_from(scans)
        .join(generations, generations.c.scan_id == scans.c.id)
        .join(artifacts, of_generation)
        .outerjoin(orders, orders.c.id == artifacts.c.order_id)
        .where(
            generations.c.state == GenerationState.SEALED,
            artifacts.c.state.in_([ArtifactState.VERIFIED, ArtifactState.MISSING]),
        )
        .order_by(
            *_by_bytes(tx, scans.c.vendor, scans.c.account, scans.c.scan),
            generations.c.number,
            *_by_bytes(tx, artifacts.c.name),
        )
    )


def _by_bytes(tx: Tx, *columns: sa.Column[str]) -> list[sa.ColumnElement[str]]:
    """Texts in order of their bytes, as SQLite has them; Postgres has its language's order."""
    if tx.connection.dialect.name != "postgresql":
        return list(columns)
    return [sa.collate(one, "C") for one in columns]


def _unless_empty(column: sa.Column[str]) -> sa.Label[Any]:
    return sa.func.nullif(column, "").label(column.name)


def _batch(columns: dict[str, Sequence[Any]]) -> pa.RecordBatch:
    names = ("vendor", "account", "scan", "generation")
    owners = zip(*(columns[name] for name in names), strict=True)
    prefixes: dict[tuple[Any, ...], str] = {}
    bags = [_prefix(prefixes, owner) for owner in owners]
    files = zip(bags, columns["name"], columns["missing"], strict=True)
    columns["bag"] = bags
    columns["key"] = [None if gone else payload_key(bag, name) for bag, name, gone in files]
    return pa.record_batch([_array(columns[one.name], one.type) for one in SCHEMA], schema=SCHEMA)


def _prefix(known: dict[tuple[Any, ...], str], owner: tuple[Any, ...]) -> str:
    if owner not in known:
        *names, generation = owner
        known[owner] = bag_prefix(ScanKey(*names), generation)
    return known[owner]


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if kind != _MOMENT:
        return pa.array(values, kind)
    seconds = pa.array(values, pa.float64())
    return pc.round(pc.multiply(seconds, float(PER_SECOND))).cast(pa.int64()).cast(_MOMENT)
