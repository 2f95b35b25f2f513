import asyncio
import hashlib

import pytest

from export_pipeline.storage.hashing import BATCH_BYTES, INLINE_HASH_BYTES, HashingStream
from export_pipeline.storage.store import pieces


@pytest.mark.parametrize("size", [1, INLINE_HASH_BYTES, INLINE_HASH_BYTES + 1, BATCH_BYTES])
def test_bytes_pass_unchanged_and_are_counted_and_hashed(size: int) -> None:
    sent = [bytes([index]) * size for index in range(5)]

    async def scenario() -> None:
        stream = HashingStream(pieces(sent))
        assert [chunk async for chunk in stream] == sent
        assert stream.size == 5 * size
        assert stream.sha256 == hashlib.sha256(b"".join(sent)).hexdigest()

    asyncio.run(scenario())


def test_size_and_digest_tell_of_what_has_passed_so_far() -> None:
    async def scenario() -> None:
        stream = HashingStream(pieces([b"first", b"second"]))
        assert (stream.size, stream.sha256) == (0, hashlib.sha256().hexdigest())
        async for chunk in stream:
            assert chunk == b"first"
            break
        assert (stream.size, stream.sha256) == (5, hashlib.sha256(b"first").hexdigest())

    asyncio.run(scenario())
