"""New objects: create-only, whole before they are visible, the store's MD5 compared with ours."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator

from export_pipeline.errors import AlreadyExists, StoreUnavailable
from export_pipeline.storage.gcs.client import CREATE_ONLY, GcsClient
from export_pipeline.storage.gcs.resource import Resource, read_resource
from export_pipeline.storage.gcs.session import Session, begun
from export_pipeline.storage.gcs.words import parse
from export_pipeline.storage.hashing import Digest, feed
from export_pipeline.storage.parts import Part, md5_of
from export_pipeline.storage.retries import MaybeOurs


async def put_whole(client: GcsClient, name: str, part: Part, content_type: str) -> Resource:
    """Write an object by one call, with an MD5 that the store compares before it keeps anything.

    Raises:
        AlreadyExists: there is an object.
        StoreUnavailable: the store kept other bytes; they were deleted.
    """
    md5 = await md5_of(part)
    checksum = base64.b64encode(md5).decode()
    metadata = {"name": name, "contentType": content_type, "md5Hash": checksum}
    # No file holds its own sha256, so its bytes never end the part that they are in.
    boundary = part.sha256.hex()
    before = (
        f"--{boundary}\r\ncontent-type: application/json\r\n\r\n{json.dumps(metadata)}\r\n"
        f"--{boundary}\r\ncontent-type: {content_type}\r\n\r\n"
    ).encode()
    after = f"\r\n--{boundary}--\r\n".encode()
    try:
        answer = await client.call(
            "objects.insert",
            "POST",
            client.upload_path(),
            name,
            query={"uploadType": "multipart", **CREATE_ONLY},
            headers={
                "content-type": f"multipart/related; boundary={boundary}",
                "content-length": str(len(before) + part.size + len(after)),
            },
            body=[before, *part, after],
        )
    except MaybeOurs:
        return await _ours_after_all(client, name, md5.hex())
    made = read_resource(parse(answer.body), name)
    return await _proven(client, name, made, md5.hex())


async def put_parts(
    client: GcsClient, name: str, parts: AsyncIterator[Part], content_type: str
) -> Resource:
    """Write an object in parts, the next read while one is sent.

    Raises:
        AlreadyExists: there is an object.
        StoreUnavailable: see `put_whole`; or the upload broke off for good.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    try:
        async with begun(client, name, content_type) as session:
            made = await _send_all(session, parts, md5)
    except MaybeOurs:
        return await _ours_after_all(client, name, md5.digest().hex())
    return await _proven(client, name, made, md5.digest().hex())


async def copy(client: GcsClient, source: str, name: str) -> Resource:
    """Have the store copy an object, create-only; a large one takes several calls.

    Raises:
        AlreadyExists: there is an object under the new name.
        NotFound: there is no source.
    """
    path, query = client.copy_path(source, name), dict(CREATE_ONLY)
    try:
        while True:
            answer = await client.call("objects.rewrite", "POST", path, name, query=query)
            told = parse(answer.body)
            if told.get("done") or "rewriteToken" not in told:
                return read_resource(told.get("resource", {}), name)
            query["rewriteToken"] = told["rewriteToken"]
    except MaybeOurs:
        origin = await client.find(source)
        return await _ours_after_all(client, name, origin.md5 if origin else "")


async def _send_all(session: Session, parts: AsyncIterator[Part], md5: Digest) -> Resource:
    sending: asyncio.Task[None] | None = None
    held = await anext(parts)
    try:
        await feed(md5, held.pieces)
        async for part in parts:
            if sending:
                await sending
            sending = asyncio.create_task(session.send(held))
            held = part
            await feed(md5, held.pieces)
        if sending:
            await sending
        return await session.finish(held, md5.digest())
    finally:
        if sending:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _proven(client: GcsClient, name: str, made: Resource, md5: str) -> Resource:
    if made.md5 != md5:
        await client.delete(name, made.generation)
        raise StoreUnavailable(f"{name!r} was stored with other bytes; now deleted")
    return made


async def _ours_after_all(client: GcsClient, name: str, md5: str) -> Resource:
    """Describe an object that an earlier try of ours made.

    Raises:
        AlreadyExists: it is not ours, or cannot be told from another's.
        StoreUnavailable: there is none.
    """
    found = await client.find(name)
    if found is None:
        raise StoreUnavailable(f"{name!r} was sent and is not there")
    if not md5 or found.md5 != md5:
        raise AlreadyExists(f"there is a {name!r} already; it was left as it is")
    return found
