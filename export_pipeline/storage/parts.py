"""Cutting a stream into parts that are held in memory one at a time, each with its sha256."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from export_pipeline.storage.hashing import HashingStream, feed
from export_pipeline.storage.store import CHUNK_BYTES


@dataclass(frozen=True)
class Part:
    """Some bytes of a stream, as the pieces in which they came, so that they can be sent again.

    Args:
        is_last: no more bytes follow.
    """

    pieces: Sequence[bytes | memoryview]
    size: int
    sha256: bytes
    is_last: bool = True

    def __iter__(self) -> Iterator[bytes | memoryview]:
        """Yield the bytes in pieces of at most `CHUNK_BYTES`."""
        for piece in self.pieces:
            for start in range(0, len(piece), CHUNK_BYTES):
                yield memoryview(piece)[start : start + CHUNK_BYTES]

    def without_bytes(self) -> "Part":
        """Return what is known of it, for when it is sent."""
        return Part((), self.size, self.sha256, self.is_last)


@asynccontextmanager
async def parted(
    chunks: AsyncIterable[bytes], part_bytes: int
) -> AsyncIterator[tuple[Part | None, AsyncIterator[Part]]]:
    """Yield a stream's only part, or None and its parts, if it has more than one; see `split`."""
    async with aclosing(split(chunks, part_bytes)) as parts:
        begin = [await anext(parts)]
        if begin[0].is_last:
            yield begin.pop(), parts
        else:
            yield None, _chained(begin, parts)


async def _chained(begin: list[Part], rest: AsyncIterator[Part]) -> AsyncIterator[Part]:
    # Taken out of the list, so that its memory is free once it is sent.
    yield begin.pop()
    async for part in rest:
        yield part
        del part


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
            yield await make_part([*held, rest[:room]], is_last=False)
            held, size, rest = [], 0, rest[room:]
        held.append(rest)
        size += len(rest)
    if isinstance(chunks, HashingStream) and chunks.size == size:
        # This part is all that passed there, and hashed.
        yield Part(held, size, bytes.fromhex(chunks.sha256))
    else:
        yield await make_part(held)


async def md5_of(part: Part) -> bytes:
    """Return the MD5 of a part, which some stores compare with the bytes that come."""
    digest = hashlib.md5(usedforsecurity=False)
    await feed(digest, part.pieces)
    return digest.digest()


async def make_part(pieces: Sequence[bytes | memoryview], *, is_last: bool = True) -> Part:
    """Hash what is at hand, beside the event loop if it is large."""
    digest = hashlib.sha256()
    await feed(digest, pieces)
    return Part(pieces, sum(map(len, pieces)), digest.digest(), is_last)
