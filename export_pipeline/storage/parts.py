"""Cutting a stream into parts that are held in memory one at a time, each with its sha256."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from dataclasses import dataclass

from export_pipeline.storage.store import CHUNK_BYTES

INLINE_HASH_BYTES = 64 * 1024
"""Up to this size hashing is cheaper than handing it to a thread (measured: `transfer/hashing`)."""


@dataclass(frozen=True)
class Part:
    """Some bytes of a stream, as the pieces in which they came, so that they can be sent again."""

    pieces: Sequence[bytes | memoryview]
    size: int
    sha256: bytes

    def __iter__(self) -> Iterator[bytes | memoryview]:
        """Yield the bytes in pieces of at most `CHUNK_BYTES`."""
        for piece in self.pieces:
            for start in range(0, len(piece), CHUNK_BYTES):
                yield memoryview(piece)[start : start + CHUNK_BYTES]


async def split(chunks: AsyncIterable[bytes], part_bytes: int) -> AsyncGenerator[Part, None]:
    """Yield parts of exactly `part_bytes` bytes and a last one of 1 to `part_bytes`.

    Equal parts, since some stores (Cloudflare R2) take no others. An empty stream is one empty
    part.
    """
    held: list[bytes | memoryview] = []
    size = 0
    async for chunk in chunks:
        rest = memoryview(chunk)
        while size + len(rest) > part_bytes:
            room = part_bytes - size
            yield await make_part([*held, rest[:room]])
            held, size, rest = [], 0, rest[room:]
        held.append(rest)
        size += len(rest)
    yield await make_part(held)


async def make_part(pieces: Sequence[bytes | memoryview]) -> Part:
    """Hash what is at hand, beside the event loop if it is large."""
    size = sum(map(len, pieces))
    digest = (
        _sha256(pieces) if size <= INLINE_HASH_BYTES else await asyncio.to_thread(_sha256, pieces)
    )
    return Part(pieces, size, digest)


def _sha256(pieces: Sequence[bytes | memoryview]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()
