"""Blobs in blocks: nothing is visible before the list of them is put.

Blocks that no list names are no blob: they cannot be seen or deleted, and Azure drops them a week
after the last one came (Azure: "Put Block"), or as soon as anybody writes a blob of that name.
"""

import base64
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from export_pipeline.concurrency import concurrently
from export_pipeline.errors import NotFound, StoreError
from export_pipeline.storage.azure.client import AzureClient
from export_pipeline.storage.parts import Part, make_part, md5_of
from export_pipeline.storage.retries import MaybeOurs

BLOCK_BYTES = 16 * 1024**2
"""Bytes of a block; a blob up to this size is one Put Blob."""
BLOCKS_IN_FLIGHT = 3
"""Blocks of one blob on their way at once: with the one being filled, about 64 MiB in memory."""
MAX_BLOCKS = 50_000
"""Blocks of one blob (Azure: "Put Block List")."""
COPY_BLOCK_BYTES = 100 * 1024**2
"""Bytes that the service copies into one block (Azure: "Put Block From URL")."""
CREATE_ONLY = {"if-none-match": "*"}


@dataclass(frozen=True)
class Sent:
    """Blocks that the service has.

    Args:
        ids: in the blob's order.
        parts: each block, without its bytes.
        is_checked: the service compared every MD5 with what it has, and says so.
    """

    ids: Sequence[str]
    parts: Sequence[Part]
    is_checked: bool


async def send_all(client: AzureClient, name: str, token: str, parts: AsyncIterator[Part]) -> Sent:
    """Send the parts as blocks, some at once.

    Args:
        token: tells this writer's blocks from another's; as the names of a blob's blocks are of
            one length, up to 64 bytes, all writers' are.
    """
    known: list[Part] = []

    async def named() -> AsyncGenerator[tuple[str, Part], None]:
        async for part in parts:
            if len(known) == MAX_BLOCKS:
                limit = MAX_BLOCKS * BLOCK_BYTES // 1024**3
                raise StoreError(f"{name!r} is over {limit} GiB, the most this store writes")
            block = _id(token, len(known))
            known.append(part.without_bytes())
            yield block, part
            # Held by its task alone, so that its memory is free as soon as it is sent.
            del part

    async def send(item: tuple[str, Part]) -> bool:
        return await _send(client, name, *item)

    async with aclosing(concurrently(send, named(), BLOCKS_IN_FLIGHT)) as sent:
        checked = [one async for one in sent]
    return Sent([_id(token, number) for number in range(len(known))], known, all(checked))


async def copy_all(
    client: AzureClient, source: str, name: str, token: str, *, size: int, etag: str
) -> list[str]:
    """Have the service copy `source` into blocks, as long as it stays the one of `etag`."""
    ids = []
    for number, start in enumerate(range(0, size, COPY_BLOCK_BYTES)):
        end = min(start + COPY_BLOCK_BYTES, size) - 1
        ids.append(_id(token, number))
        await client.call(
            "PutBlockFromUrl",
            "PUT",
            name,
            query={"blockid": ids[-1], "comp": "block"},
            headers={
                "x-ms-copy-source": await client.readable(source),
                "x-ms-source-if-match": etag,
                "x-ms-source-range": f"bytes={start}-{end}",
            },
        )
    return ids


async def commit(
    client: AzureClient, name: str, ids: Sequence[str], headers: Mapping[str, str]
) -> None:
    """Make the blob visible, create-only.

    Raises:
        AlreadyExists: there is a blob; `MaybeOurs` if an earlier try may have made it.
    """
    listed = "".join(f"<Uncommitted>{block}</Uncommitted>" for block in ids)
    body = await make_part([f"<BlockList>{listed}</BlockList>".encode()])
    try:
        await client.call(
            "PutBlockList",
            "PUT",
            name,
            query={"comp": "blocklist"},
            headers={**headers, **CREATE_ONLY},
            body=body,
        )
    except NotFound as error:
        # Blocks that were put in a list are gone too: a first try whose answer was lost.
        raise MaybeOurs(str(error)) from error


async def content_md5(part: Part) -> str:
    """Return what the service compares with the bytes that come, as it wants it written."""
    return base64.b64encode(await md5_of(part)).decode()


async def _send(client: AzureClient, name: str, block: str, part: Part) -> bool:
    checksum = await content_md5(part)
    answer = await client.call(
        "PutBlock",
        "PUT",
        name,
        query={"blockid": block, "comp": "block"},
        headers={"content-md5": checksum},
        body=part,
    )
    return answer.headers.get("content-md5") == checksum


def _id(token: str, number: int) -> str:
    return base64.b64encode(f"{token}-{number:05}".encode()).decode()
