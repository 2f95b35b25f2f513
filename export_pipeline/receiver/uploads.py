"""Uploads: one artifact each, from the vendor's request straight into the store."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from export_pipeline.archive.layout import (
    bag_prefix,
    payload_key,
    prefix_of,
    read_prefix,
    scan_prefix,
)
from export_pipeline.errors import AlreadyExists, StoreError
from export_pipeline.ledger.artifacts import delivered
from export_pipeline.ledger.database import Ledger
from export_pipeline.ledger.rows import ArtifactState, OrderState
from export_pipeline.ledger.schema import artifacts, orders, scans
from export_pipeline.logs import get_logger
from export_pipeline.receiver.addresses import UPLOADS, Addresses
from export_pipeline.receiver.guard import writing
from export_pipeline.receiver.refusals import refuse
from export_pipeline.receiver.requests import body_of, require_token
from export_pipeline.scans import ScanKey
from export_pipeline.storage.hashing import HashingStream
from export_pipeline.storage.store import Store

MAX_UPLOAD_BYTES = 5 * 1024**3
"""The most that one PUT carries on S3, so that every store takes what the receiver takes."""
UPLOAD_SECONDS = 3_600.0
IDLE_SECONDS = 60.0
"""Longest silence in an upload; a vendor that was cut off repeats it."""
QUICK_SECONDS = 1.0
"""An upload that took longer asks the ledger again before it is published."""

log = get_logger(__name__)


@dataclass(frozen=True)
class Place:
    """Where an artifact belongs.

    Args:
        key: in the store.
        sha256: of the bytes that lie there, None if the ledger knows of none.
    """

    key: str
    sha256: str | None


class Uploads:
    """The endpoint that writes artifacts, each create-only under the key that the ledger says."""

    def __init__(self, ledger: Ledger, store: Store, addresses: Addresses) -> None:
        self._ledger = ledger
        self._store = store
        self._addresses = addresses

    async def take(self, request: Request) -> Response:
        """Store the body and note its size and sha256; 201 once both are durable.

        A repeat, which a vendor sends that lost our answer, changes nothing: 200 if it has the
        bytes that are there, 409 if it has others, also after the order was closed.
        """
        order_id, name = request.path_params["order"], request.path_params["artifact"]
        require_token(request, self._addresses, UPLOADS, order_id, name)
        place = self._place(order_id, name)
        stream = HashingStream(self._while_expected(request, order_id, name))
        if place.sha256 is None and await self._is_new(place.key, stream, request):
            if not await self._note(order_id, name, stream):
                await self._withdraw_late(order_id, name, place.key)
            return Response(status_code=201)
        async for _ in stream:
            pass
        there = place.sha256 or await self._sha256_there(order_id, name, place.key)
        if stream.sha256 != there:
            raise HTTPException(409, "Other bytes are there already; they were left as they are.")
        if place.sha256 is None:
            await self._note(order_id, name, stream)
        return Response(status_code=200)

    async def _is_new(self, key: str, stream: HashingStream, request: Request) -> bool:
        content_type = request.headers.get("content-type")
        try:
            async with writing(self._ledger, self._store, key):
                await self._store.put(key, stream, content_type=content_type)
        except AlreadyExists:
            return False
        except StoreError as error:
            await self._ledger.apply(refuse, **request.path_params, error=error)
            raise
        return True

    async def _note(self, order_id: str, name: str, stream: HashingStream) -> bool:
        log.debug("artifact delivered", order=order_id, artifact=name, bytes=stream.size)
        return await self._ledger.apply(
            delivered, order_id, name, size=stream.size, sha256=stream.sha256
        )

    async def _withdraw_late(self, order_id: str, name: str, key: str) -> None:
        """Take back what was published just after it was given up: no bag knows of it."""
        row = self._ledger.glance(_ARTIFACT, of_order=order_id, named=name)
        if row is None:  # its scan was forgotten meanwhile
            scan, _ = read_prefix(prefix_of(key) or "")
            await self._store.erase(scan_prefix(scan))
            raise HTTPException(404, "There is no such order any more.")
        found = _Found(*row)
        if found.artifact_state in (ArtifactState.MISSING, ArtifactState.ABSENT):
            await self._store.delete(key)
            raise HTTPException(409, f"The artifact is settled already, as {found.artifact_state}.")

    async def _sha256_there(self, order_id: str, name: str, key: str) -> str:
        # Whoever wrote it has noted it by now, or was stopped in between.
        if (noted := self._place(order_id, name).sha256) is not None:
            return noted
        there = HashingStream(self._store.open(key))
        async for _ in there:
            pass
        return there.sha256

    async def _while_expected(
        self, request: Request, order_id: str, name: str
    ) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        began = clock()
        body = body_of(
            request,
            limit_bytes=MAX_UPLOAD_BYTES,
            seconds=UPLOAD_SECONDS,
            idle_seconds=IDLE_SECONDS,
        )
        async for chunk in body:
            yield chunk
        if clock() - began > QUICK_SECONDS:
            # The order may have been closed, and its bag sealed, in the meantime.
            self._place(order_id, name)

    def _place(self, order_id: str, name: str) -> Place:
        return find_place(self._ledger, order_id, name)


def find_place(ledger: Ledger, order_id: str, name: str) -> Place:
    """Return where the artifact belongs and what is noted of it.

    Raises:
        HTTPException: 404 or 409: nobody waits for it; the sentence says why.
    """
    row = ledger.glance(_ARTIFACT, of_order=order_id, named=name)
    if row is None:
        raise HTTPException(404, "There is no such order.")
    found = _Found(*row)
    is_closed = found.order_state == OrderState.CLOSED
    # A closed order's artifact may have passed to its next attempt.
    if found.artifact_state is None or not (is_closed or found.order_id == order_id):
        raise HTTPException(404, "The order has no such artifact.")
    if found.sha256 is None and is_closed:
        raise HTTPException(409, "The order is closed; nothing more is taken for it.")
    if found.sha256 is None and found.artifact_state != ArtifactState.EXPECTED:
        raise HTTPException(409, f"The artifact is settled already, as {found.artifact_state}.")
    scan = ScanKey(found.vendor, found.account, found.scan)
    return Place(payload_key(bag_prefix(scan, found.generation), name), found.sha256)


class _Found(NamedTuple):
    """A row of `_ARTIFACT`."""

    order_state: str
    generation: int
    artifact_state: str | None
    order_id: str | None
    sha256: str | None
    vendor: str
    account: str
    scan: str


# One statement where three would read better: it is most of what an upload costs the loop.
_ARTIFACT = (
    sa.select(
        orders.c.state.label("order_state"),
        orders.c.generation,
        artifacts.c.state.label("artifact_state"),
        artifacts.c.order_id,
        artifacts.c.sha256,
        scans.c.vendor,
        scans.c.account,
        scans.c.scan,
    )
    .join_from(orders, scans, scans.c.id == orders.c.scan_id)
    .outerjoin(
        artifacts,
        sa.and_(
            artifacts.c.scan_id == orders.c.scan_id,
            artifacts.c.generation == orders.c.generation,
            artifacts.c.name == sa.bindparam("named"),
        ),
    )
    .where(orders.c.id == sa.bindparam("of_order"))
)
