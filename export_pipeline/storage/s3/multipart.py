"""Uploads in parts: nothing is visible before the last call, and a failed one is aborted."""

import base64
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape

from export_pipeline.concurrency import concurrently
from export_pipeline.errors import NotFound, StoreError
from export_pipeline.storage.parts import Part
from export_pipeline.storage.retries import MaybeOurs
from export_pipeline.storage.s3.client import CHECKSUM, S3Client
from export_pipeline.storage.xml import parse, text

PART_BYTES = 16 * 1024**2
"""Bytes of a part; an object up to this size is one PUT. S3 takes parts of 5 MiB to 5 GiB."""
PARTS_IN_FLIGHT = 1
"""Parts of one object on their way at once: with the one being filled, 32 MiB in memory.

What is stored comes over one connection too, and many objects are stored at once. A second part
in flight made neither us nor SeaweedFS faster, and cost SeaweedFS a twentieth more CPU.
"""
MAX_PARTS = 10_000
"""Parts of one object (S3 User Guide, "multipart upload limits")."""
COPY_PART_BYTES = 256 * 1024**2
"""Bytes that the store copies in one call; S3 takes up to 5 GiB."""
CREATE_ONLY = {"if-none-match": "*"}


@dataclass(frozen=True)
class Sent:
    """A part that the store has.

    Args:
        etag: the store's name for it.
        checksum: its sha256 in base64, "" if we never had its bytes.
        is_checked: the store compared that with what it has, and says so.
    """

    etag: str
    checksum: str = ""
    is_checked: bool = False


@dataclass(frozen=True)
class Unfinished:
    """An upload under way, or left by a writer that died; begun at seconds since the epoch."""

    key: str
    id: str
    begun_at: float


@asynccontextmanager
async def begun(
    client: S3Client, key: str, headers: Mapping[str, str], *, checked: bool
) -> AsyncIterator[str]:
    """Begin an upload and yield its id; abort it if anything inside fails.

    Args:
        checked: the store shall check and keep each part's sha256.
    """
    algorithm = {"x-amz-checksum-algorithm": "SHA256"} if checked else {}
    answer = await client.call(
        "CreateMultipartUpload",
        "POST",
        key,
        query={"uploads": ""},
        headers={**headers, **algorithm},
    )
    upload = text(parse(answer.body), "UploadId")
    try:
        yield upload
    except BaseException as error:
        await _abort_for(error, client, key, upload)
        raise


async def send_all(
    client: S3Client, key: str, upload: str, parts: AsyncIterator[Part]
) -> tuple[list[Sent], list[Part]]:
    """Send the parts, some at once; return what the store has of each, and each without bytes."""
    known: list[Part] = []

    async def numbered() -> AsyncGenerator[tuple[int, Part], None]:
        async for part in parts:
            if len(known) == MAX_PARTS:
                limit = MAX_PARTS * PART_BYTES // 1024**3
                raise StoreError(f"{key!r} is over {limit} GiB, the most this store writes")
            known.append(part.without_bytes())
            yield len(known), part
            # Held by its task alone, so that its memory is free as soon as it is sent.
            del part

    async def send(item: tuple[int, Part]) -> Sent:
        return await _send(client, key, upload, *item)

    async with aclosing(concurrently(send, numbered(), PARTS_IN_FLIGHT)) as sent:
        return [one async for one in sent], known


async def copy_all(
    client: S3Client, source: str, key: str, upload: str, *, size: int, etag: str
) -> list[Sent]:
    """Have the store copy `source` in parts, as long as it stays the one that `etag` names."""
    sent = []
    for number, start in enumerate(range(0, size, COPY_PART_BYTES), 1):
        end = min(start + COPY_PART_BYTES, size) - 1
        answer = await client.call(
            "UploadPartCopy",
            "PUT",
            key,
            query={"partNumber": str(number), "uploadId": upload},
            headers={
                "x-amz-copy-source": client.named(source),
                "x-amz-copy-source-if-match": etag,
                "x-amz-copy-source-range": f"bytes={start}-{end}",
            },
        )
        sent.append(Sent(text(parse(answer.body), "ETag")))
    return sent


async def complete(
    client: S3Client, key: str, upload: str, sent: list[Sent], condition: Mapping[str, str]
) -> None:
    """Make the object visible.

    Args:
        condition: `CREATE_ONLY`, or nothing where the store does not know that.

    Raises:
        AlreadyExists: there is an object; `MaybeOurs` if an earlier try may have made it.
    """
    parts = "".join(_part_element(number, one) for number, one in enumerate(sent, 1))
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    body = Part((document,), len(document), hashlib.sha256(document).digest())
    query = {"uploadId": upload}
    try:
        await client.call(
            "CompleteMultipartUpload", "POST", key, query=query, headers=condition, body=body
        )
    except NotFound as error:
        # An upload that was completed is gone too: a first try whose answer was lost.
        raise MaybeOurs(str(error)) from error


def composite(parts: list[Part]) -> str:
    """Return S3's checksum of an object in parts: sha256 of their sha256s, and how many."""
    digest = hashlib.sha256(b"".join(part.sha256 for part in parts)).digest()
    return f"{base64.b64encode(digest).decode()}-{len(parts)}"


async def _send(client: S3Client, key: str, upload: str, number: int, part: Part) -> Sent:
    checksum = base64.b64encode(part.sha256).decode()
    answer = await client.call(
        "UploadPart",
        "PUT",
        key,
        query={"partNumber": str(number), "uploadId": upload},
        headers={CHECKSUM: checksum},
        body=part,
    )
    is_checked = answer.headers.get(CHECKSUM) == checksum
    return Sent(answer.headers.get("etag", ""), checksum, is_checked)


async def abort(client: S3Client, key: str, upload: str) -> None:
    """Remove an upload and its parts; gone already is fine."""
    with suppress(NotFound):
        await client.call("AbortMultipartUpload", "DELETE", key, query={"uploadId": upload})


async def unfinished(client: S3Client, prefix: str) -> AsyncIterator[Unfinished]:
    """Yield every upload below a prefix that was neither completed nor aborted."""
    query = {"prefix": prefix, "uploads": ""}
    while True:
        answer = await client.call("ListMultipartUploads", "GET", "", query=query)
        page = parse(answer.body)
        for found in page.iterfind("{*}Upload") if page is not None else ():
            begun_at = datetime.fromisoformat(text(found, "Initiated")).timestamp()
            yield Unfinished(text(found, "Key"), text(found, "UploadId"), begun_at)
        if text(page, "IsTruncated") != "true":
            return
        query["key-marker"] = text(page, "NextKeyMarker")
        query["upload-id-marker"] = text(page, "NextUploadIdMarker")


async def _abort_for(cause: BaseException, client: S3Client, key: str, upload: str) -> None:
    try:
        await abort(client, key, upload)
    except StoreError as error:
        # The first error is the one to tell; this one rides along.
        cause.add_note(f"its parts were left in the store, {error}")


def _part_element(number: int, one: Sent) -> str:
    checksum = f"<ChecksumSHA256>{one.checksum}</ChecksumSHA256>" if one.checksum else ""
    return (
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(one.etag)}</ETag>{checksum}</Part>"
    )
