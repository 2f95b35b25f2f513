"""Large objects in segments: nothing is visible before the manifest is put (Swift: "SLO").

Segments lie in the store's own container, since no other is reached by a container's TempURL key,
in a folder that no list shows: `<prefix>.segments/<key>/<token of the writer>/<number>`. The
metadata of an object says which writer's segments it is made of.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from urllib.parse import quote

from export_pipeline.concurrency import concurrently
from export_pipeline.errors import NotFound, StoreError
from export_pipeline.storage.parts import Part, make_part, md5_of
from export_pipeline.storage.swift.client import SwiftClient
from export_pipeline.storage.swift.listing import entries

SEGMENT_BYTES = 16 * 1024**2
"""Bytes of a segment; an object up to this size is one PUT."""
SEGMENTS_IN_FLIGHT = 3
"""Segments of one object on their way at once: with the one being filled, 64 MiB in memory."""
MANIFEST_SEGMENTS = 1_000
"""Segments that one manifest names, manifests themselves among them (Swift: "SLO")."""
COPY_SEGMENT_BYTES = 256 * 1024**2
"""Bytes that Swift copies in one call; it would take 5 GiB, and says nothing meanwhile."""
FOLDER = ".segments/"
WRITER = "x-object-meta-segments"
"""The metadata of a large object that has the token of its segments' writer."""
_SEGMENT = re.compile(r"(.+)/([0-9a-f]+)/[^/]+")
"""The name of a segment below that folder: key, token, and what numbers it."""


@dataclass(frozen=True)
class Segment:
    """Some bytes of an object, as Swift has them: an object itself, or a manifest of such."""

    name: str
    etag: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What makes one object of segments.

    Args:
        body: what is put.
        etag: the MD5 of the segments' MD5s, which Swift compares, and by which it then knows the
            object (Swift: "SLO").
        size: of the object, in bytes.
    """

    body: Part
    etag: str
    size: int


@dataclass(frozen=True)
class Upload:
    """What one writer sent of one object.

    Args:
        key: of the object.
        token: the writer's.
        written_at: when its last segment came, in seconds since the epoch.
    """

    key: str
    token: str
    written_at: float


@asynccontextmanager
async def begun(client: SwiftClient, folder: str) -> AsyncIterator[str]:
    """Yield a writer's new folder; remove what was sent to it if anything inside fails."""
    try:
        yield folder
    except BaseException as error:
        await _remove_for(error, client, folder)
        raise


async def send_all(client: SwiftClient, folder: str, parts: AsyncIterator[Part]) -> list[Segment]:
    """Send the parts as segments in a new folder, some at once."""
    names = _names(folder)

    async def send(part: Part) -> Segment:
        return await _send(client, next(names), part)

    async with aclosing(concurrently(send, parts, SEGMENTS_IN_FLIGHT)) as sent:
        return [one async for one in sent]


async def copy_all(
    client: SwiftClient, source: str, folder: str, *, size: int, etag: str
) -> list[Segment]:
    """Have Swift copy `source` into segments, as long as it stays the one that `etag` names."""
    copied = []
    names = _names(folder)
    for start in range(0, size, COPY_SEGMENT_BYTES):
        length = min(COPY_SEGMENT_BYTES, size - start)
        # What is copied whole, Swift checks by the source's MD5.
        part = {"range": f"bytes={start}-{start + length - 1}"} if length < size else {}
        headers = {
            "if-match": f'"{etag}"',
            "x-copy-from": quote(f"/{client.container}/{source}"),
            "x-fresh-metadata": "true",
        }
        name = next(names)
        answer = await client.call("PUT", name, headers=headers | part)
        copied.append(Segment(name, bare_etag(answer.headers), length))
    return copied


async def make_manifest(client: SwiftClient, folder: str, sent: Sequence[Segment]) -> Manifest:
    """Return the manifest of any number of segments; if one is too small, it names manifests."""
    names = _names(f"{folder}manifest-")
    while len(sent) > MANIFEST_SEGMENTS:
        starts = range(0, len(sent), MANIFEST_SEGMENTS)
        groups = [sent[start : start + MANIFEST_SEGMENTS] for start in starts]
        sent = [await _put_manifest(client, next(names), group) for group in groups]
    return await _manifest(client, sent)


async def put_manifest(
    client: SwiftClient, name: str, manifest: Manifest, headers: Mapping[str, str]
) -> None:
    """Make the object visible.

    Raises:
        AlreadyExists: there is an object; `MaybeOurs` if an earlier try may have made it.
    """
    await client.call(
        "PUT",
        name,
        query={"multipart-manifest": "put"},
        headers={**headers, "etag": manifest.etag},
        body=manifest.body,
    )


async def uploads(client: SwiftClient, folder: str) -> AsyncIterator[Upload]:
    """Yield what writers sent below the folder of all segments, whether an object has it or not."""
    latest: Upload | None = None
    async for found in entries(client, folder):
        named = _SEGMENT.fullmatch(found.name.removeprefix(folder))
        if named is None:
            continue
        upload = Upload(named[1], named[2], found.written_at)
        if latest is not None and (latest.key, latest.token) == (upload.key, upload.token):
            upload = replace(upload, written_at=max(latest.written_at, upload.written_at))
        elif latest is not None:
            yield latest
        latest = upload
    if latest is not None:
        yield latest


async def remove(client: SwiftClient, folder: str) -> None:
    """Delete what lies in a folder."""
    async for found in entries(client, folder):
        with suppress(NotFound):
            await client.call("DELETE", found.name)


def bare_etag(headers: Mapping[str, str]) -> str:
    """Return the etag without the quotes that only some of Swift's answers have."""
    return headers.get("etag", "").strip('"')


def _names(begin: str) -> Iterator[str]:
    return (f"{begin}{number:08}" for number in count())


async def _send(client: SwiftClient, name: str, part: Part) -> Segment:
    etag = (await md5_of(part)).hex()
    await client.call("PUT", name, headers={"etag": etag}, body=part)
    return Segment(name, etag, part.size)


async def _put_manifest(client: SwiftClient, name: str, segments: Sequence[Segment]) -> Segment:
    manifest = await _manifest(client, segments)
    await put_manifest(client, name, manifest, {})
    return Segment(name, manifest.etag, manifest.size)


async def _manifest(client: SwiftClient, segments: Sequence[Segment]) -> Manifest:
    named = [
        {"path": f"/{client.container}/{one.name}", "etag": one.etag, "size_bytes": one.size}
        for one in segments
    ]
    etags = "".join(one.etag for one in segments).encode()
    etag = hashlib.md5(etags, usedforsecurity=False).hexdigest()
    body = await make_part([json.dumps(named).encode()])
    return Manifest(body, etag, sum(one.size for one in segments))


async def _remove_for(cause: BaseException, client: SwiftClient, folder: str) -> None:
    try:
        await remove(client, folder)
    except StoreError as error:
        # The first error is the one to tell; this one rides along.
        cause.add_note(f"segments were left in the store, {error}")
