"""Bring what a completed order made into the store, where the vendor did not write it there."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from export_pipeline.errors import AlreadyExists, ConfigError, NotFound, VendorError
from export_pipeline.ledger import artifacts
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.rows import Artifact, Order, Scan
from export_pipeline.receiver.guard import writing
from export_pipeline.storage.hashing import HashingStream
from export_pipeline.vendors.vendor import Opened
from export_pipeline.workflow.pipeline import Pipeline

Failure = VendorError | ConfigError


class Brought(NamedTuple):
    """What is known of an artifact that the store should have by now.

    Args:
        size: bytes that passed, None if others than we moved them.
        sha256: their digest.
        failure: why the vendor did not give it, None if it did or had nothing to give.
    """

    size: int | None
    sha256: str | None
    failure: Failure | None = None


async def bring(pipeline: Pipeline, scan: Scan, order: Order, artifact: Artifact) -> Brought:
    """Pull or promote one artifact of a completed order; twice changes nothing.

    Raises:
        StoreError: the store failed.
    """
    completion: Mapping[str, Any] = order.completion or {}
    key = pipeline.key(scan, order.generation, artifact.name)
    noted = Brought(artifact.size, artifact.sha256)
    staged = completion.get("staged", {}).get(artifact.name)
    if staged:
        await _promote(pipeline, staged, key)
    elif completion.get("is_ready") and artifact.sha256 is None:
        try:
            return await _pull(pipeline, order, artifact, key) or noted
        except (VendorError, ConfigError) as error:
            return noted._replace(failure=error)
    return noted


async def _promote(pipeline: Pipeline, staged: str, key: str) -> None:
    # Not there: never written, or promoted by a process that was stopped before it noted that.
    with suppress(AlreadyExists, NotFound):
        async with writing(pipeline.ledger, pipeline.store, key):
            await pipeline.store.copy(staged, key)
    await pipeline.store.delete(staged)


async def _pull(pipeline: Pipeline, order: Order, artifact: Artifact, key: str) -> Brought | None:
    async with pipeline.vendor.open(order, artifact) as opened:
        stream = HashingStream(opened.chunks)
        media_type = pipeline.kind(artifact.kind).media_type
        try:
            async with writing(pipeline.ledger, pipeline.store, key):
                await pipeline.store.put(key, stream, content_type=media_type)
        except AlreadyExists:
            return None  # by a process that was stopped before it noted that: verified as it is
    await pipeline.ledger.apply(_pulled, order, artifact, opened, stream)
    return Brought(stream.size, stream.sha256)


def _pulled(
    tx: Tx, order: Order, artifact: Artifact, opened: Opened, stream: HashingStream
) -> None:
    if artifacts.delivered(tx, order.id, artifact.name, size=stream.size, sha256=stream.sha256):
        name = opened.vendor_name or artifact.vendor_name
        artifacts.named(tx, artifact, name, opened.details)
