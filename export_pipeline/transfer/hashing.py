"""Size and sha256 of a stream, taken while it passes."""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator

INLINE_HASH_BYTES = 64 * 1024
"""Up to this size hashing a piece is cheaper than handing it to a thread."""


class HashingStream:
    """Passes `chunks` on unchanged; `size` and `sha256` tell of those that have passed."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal digest of what has passed so far."""
        return self._hash.hexdigest()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield each piece once it is counted."""
        async for chunk in self._chunks:
            if len(chunk) > INLINE_HASH_BYTES:
                await asyncio.to_thread(self._hash.update, chunk)
            else:
                self._hash.update(chunk)
            self.size += len(chunk)
            yield chunk
