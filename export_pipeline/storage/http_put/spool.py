"""A stream kept until it is stored, so that it can be sent again after a cut."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from tempfile import SpooledTemporaryFile, gettempdir

from export_pipeline.errors import StoreError, StoreFull
from export_pipeline.storage.hashing import INLINE_HASH_BYTES
from export_pipeline.storage.store import CHUNK_BYTES

MEMORY_BYTES = 4 * 1024**2
"""An object above this size waits in a temporary file."""


class Spool:
    """Bytes at hand, from their first as often as they are asked for."""

    def __init__(self, file: SpooledTemporaryFile[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> bytes:
        """Digest of all bytes."""
        return self._hash.digest()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes in pieces of `CHUNK_BYTES`; they were just written, so no disk waits."""
        self._file.seek(0)
        while piece := self._file.read(CHUNK_BYTES):
            yield piece

    async def add(self, piece: bytes) -> None:
        """Append some bytes, beside the event loop if they are many."""
        if len(piece) > INLINE_HASH_BYTES:
            await asyncio.to_thread(self._add, piece)
        else:
            self._add(piece)

    def _add(self, piece: bytes) -> None:
        with _explained():
            self._file.write(piece)
            self._file.flush()
        self._hash.update(piece)
        self.size += len(piece)


@asynccontextmanager
async def spooled(chunks: AsyncIterable[bytes]) -> AsyncIterator[Spool]:
    """Take in a stream; what is kept of it is gone at the end.

    Raises:
        StoreFull: the temporary folder has no room.
    """
    with SpooledTemporaryFile(MEMORY_BYTES) as file:
        spool = Spool(file)
        async for chunk in chunks:
            await spool.add(chunk)
        yield spool


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = StoreFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else StoreError
        raise kind(
            f"an object waits in {gettempdir()} until it is stored, and cannot:"
            f" {os.strerror(error.errno or 0)}; make room there, or set TMPDIR to another folder"
        ) from error
