import asyncio
import hashlib
from contextlib import aclosing

import pytest

from export_pipeline.storage.hashing import HashingStream
from export_pipeline.storage.parts import Part, split
from export_pipeline.storage.store import pieces

PART_BYTES = 1_000
DATA = bytes(range(250)) * 10


async def parts_of(stream: HashingStream) -> list[Part]:
    async with aclosing(split(stream, PART_BYTES)) as parts:
        return [part async for part in parts]


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, len(DATA)])
def test_each_part_of_a_stream_that_is_hashed_has_its_own_sha256(size: int) -> None:
    data = DATA[:size]
    stream = HashingStream(pieces([data[start : start + 300] for start in range(0, size, 300)]))
    found = asyncio.run(parts_of(stream))
    wanted = [data[start : start + PART_BYTES] for start in range(0, size, PART_BYTES)] or [b""]
    assert [b"".join(part) for part in found] == wanted
    assert [part.sha256 for part in found] == [hashlib.sha256(one).digest() for one in wanted]
    assert [part.is_last for part in found] == [False] * (len(wanted) - 1) + [True]
    assert stream.sha256 == hashlib.sha256(data).hexdigest()


def test_the_rest_of_a_stream_is_not_taken_for_the_whole() -> None:
    async def scenario() -> list[Part]:
        stream = HashingStream(pieces([b"first", b"second"]))
        async for _ in stream:
            break
        return await parts_of(stream)

    (rest,) = asyncio.run(scenario())
    assert b"".join(rest) == b"second"
    assert rest.sha256 == hashlib.sha256(b"second").digest()
