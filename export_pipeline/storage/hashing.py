"""Hashing, beside the event loop where that is worth a thread."""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Protocol

INLINE_HASH_BYTES = 64 * 1024
"""Up to this size hashing is cheaper than handing it to a thread."""
BATCH_BYTES = 4 * 1024**2
"""Bytes of a stream hashed in one go: a thread for each piece takes a tenth more CPU in all."""


class Digest(Protocol):
    """A hash of hashlib's."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take some more bytes."""

    def digest(self) -> bytes:
        """Return that of all so far."""


class HashingStream:
    """Passes `chunks` on unchanged; `size` and `sha256` tell of those that have passed."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks
        self._hash = hashlib.sha256()
        self._unhashed: list[bytes] = []
        self._unhashed_bytes = 0
        self.size = 0

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal digest of what has passed so far."""
        _feed(self._hash, self._take_unhashed())
        return self._hash.hexdigest()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield each piece once it is counted."""
        async for chunk in self._chunks:
            self.size += len(chunk)
            self._unhashed.append(chunk)
            self._unhashed_bytes += len(chunk)
            if self._unhashed_bytes >= BATCH_BYTES:
                await feed(self._hash, self._take_unhashed())
            yield chunk
        await feed(self._hash, self._take_unhashed())

    def _take_unhashed(self) -> list[bytes]:
        taken, self._unhashed, self._unhashed_bytes = self._unhashed, [], 0
        return taken


async def feed(digest: Digest, pieces: Sequence[bytes | memoryview]) -> None:
    """Hash pieces, in a thread if they are large."""
    if sum(map(len, pieces)) <= INLINE_HASH_BYTES:
        _feed(digest, pieces)
    else:
        await asyncio.to_thread(_feed, digest, pieces)


def _feed(digest: Digest, pieces: Sequence[bytes | memoryview]) -> None:
    for piece in pieces:
        digest.update(piece)
