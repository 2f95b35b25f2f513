"""The catalog: one row per artifact file, rebuilt from the sealed bags alone."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from export_pipeline.archive.bag import BagContents, BagListing, bags, read_bag
from export_pipeline.archive.layout import PAYLOAD_FOLDER, read_prefix
from export_pipeline.errors import BadInput
from export_pipeline.storage.store import Store
from export_pipeline.transfer.concurrency import concurrently

ROWS_PER_GROUP = 20_000
BAGS_AT_ONCE = 16
SCHEMA = pa.schema(
    [
        ("vendor", pa.string()),
        ("account", pa.string()),
        ("scan", pa.string()),
        ("generation", pa.int32()),
        ("status", pa.string()),
        ("sealed_at", pa.timestamp("ms", tz="UTC")),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("missing", pa.bool_()),
        ("reason", pa.string()),
        ("size", pa.int64()),
        ("sha256", pa.string()),
        ("key", pa.string()),
    ]
)
"""`scan` is the vendor's own id; `status` is the bag's, `archived` or `partial`; a missing
artifact has a row with its reason and without size, sha256 and key."""

Row = dict[str, Any]


async def rows(store: Store) -> AsyncIterator[Sequence[Row]]:
    """The catalog's rows bag by bag, in order of key.

    Raises:
        BadInput: a sealed bag's tag files cannot be read; the text names the file.
        NotFound: a sealed bag lacks a tag file.
    """

    async def rows_of(listing: BagListing) -> Sequence[Row]:
        return _rows(listing, await read_bag(store, listing.prefix))

    async for found in concurrently(rows_of, _sealed(store), BAGS_AT_ONCE):
        yield found


async def batches(store: Store) -> AsyncIterator[pa.RecordBatch]:
    """The catalog in batches of about `ROWS_PER_GROUP` rows, so that memory stays bounded."""
    held: list[Row] = []
    async for found in rows(store):
        held += found
        if len(held) >= ROWS_PER_GROUP:
            yield pa.RecordBatch.from_pylist(held, SCHEMA)
            held = []
    yield pa.RecordBatch.from_pylist(held, SCHEMA)


async def rebuild(store: Store) -> pa.Table:
    """Return the whole catalog as one table; for large archives stream `batches` instead."""
    return pa.Table.from_batches([batch async for batch in batches(store)], SCHEMA)


async def _sealed(store: Store) -> AsyncIterator[BagListing]:
    async for listing in bags(store):
        if listing.sealed:
            yield listing


def _rows(listing: BagListing, bag: BagContents) -> Sequence[Row]:
    key, generation = read_prefix(bag.prefix)
    missing = dict(_name_and_reason(value) for value in bag.info.get("Export-Missing", ()))
    kinds = _kinds(bag.provenance)
    common: Row = {
        "vendor": key.vendor,
        "account": key.account,
        "scan": key.scan,
        "generation": generation,
        "status": "partial" if missing else "archived",
        "sealed_at": _sealed_at(bag),
    }
    files: list[Row] = [
        {
            "name": name,
            "kind": kinds.get(name),
            "missing": False,
            "size": listing.sizes.get(PAYLOAD_FOLDER + name),
            "sha256": sha256,
            "key": bag.prefix + PAYLOAD_FOLDER + name,
        }
        for name, sha256 in bag.payload.items()
    ]
    gaps: list[Row] = [
        {"name": name, "kind": kinds.get(name), "missing": True, "reason": reason}
        for name, reason in missing.items()
    ]
    return [common | row for row in (*files, *gaps)]


def _name_and_reason(value: str) -> tuple[str, str]:
    name, _, reason = value.partition(": ")
    return name, reason


def _kinds(provenance: Mapping[str, object]) -> Mapping[str, str]:
    """Return artifact name -> kind, of provenance's `artifacts`: `[{"name": .., "kind": ..}]`."""
    artifacts = provenance.get("artifacts")
    if not isinstance(artifacts, list):
        return {}
    return {
        str(artifact["name"]): str(artifact["kind"])
        for artifact in artifacts
        if isinstance(artifact, dict) and artifact.keys() >= {"name", "kind"}
    }


def _sealed_at(bag: BagContents) -> datetime | None:
    """Read `Bagging-Date`: a date (RFC 8493 part 2.2.2) or, more exactly, a time; UTC if bare."""
    for value in bag.info.get("Bagging-Date", ()):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise BadInput(f"{bag.prefix}: Bagging-Date {value!r} is not a date") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
