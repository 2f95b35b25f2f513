"""Several writers of one object: of one process they take turns, else the slow one is told."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest

from export_pipeline.errors import AlreadyExists
from export_pipeline.storage.http import Http
from export_pipeline.storage.store import pieces
from export_pipeline_tests.storage.conformance import put, read
from export_pipeline_tests.storage.swift.faults import Body, SwiftUpstream


class Interrupted(Http):
    """Lets another write between the first bytes of a PUT and the rest."""

    def __init__(self, other: Callable[[], None]) -> None:
        super().__init__()
        self._other = other

    def answering(
        self, verb: str, url: str, headers: Mapping[str, str], body: Body | None = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        slowly = self._slowly(body) if body is not None and verb == "PUT" else body
        return super().answering(verb, url, headers, slowly)

    def _slowly(self, body: Body) -> Iterator[bytes | memoryview]:
        first, *rest = body
        yield first
        time.sleep(0.5)
        self._other()
        yield from rest


def test_a_writer_is_told_if_another_began_later_and_was_faster(
    upstream: SwiftUpstream,
) -> None:
    """Swift answers 201 to both, and keeps what began later."""
    condition = {"If-None-Match": "*"}
    slow = upstream.opened(Interrupted(lambda: upstream.write("contested", b"theirs", **condition)))
    with pytest.raises(AlreadyExists, match="contested"):
        asyncio.run(slow.put("contested", pieces([b"ours ", b"is slow"])))
    assert asyncio.run(read(slow, "contested")) == b"theirs"


class Counting(Http):
    """Notes how many PUTs of each URL, and of all, were under way at once at most."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    @asynccontextmanager
    async def answering(
        self, verb: str, url: str, headers: Mapping[str, str], body: Body | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        counted = [url.rpartition("/")[2], "all"] if verb == "PUT" else []
        self.under_way.update(counted)
        self.most |= self.under_way
        try:
            async with super().answering(verb, url, headers, body) as response:
                yield response
        finally:
            self.under_way.subtract(counted)


def test_writers_of_one_process_take_turns_at_one_object_and_not_at_others(
    upstream: SwiftUpstream,
) -> None:
    http = Counting()
    store = upstream.opened(http)

    async def scenario() -> None:
        wanted = [key for key in ("a", "b", "c") for _ in range(4)]
        outcomes = await asyncio.gather(
            *(put(store, key) for key in wanted), return_exceptions=True
        )
        assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 9

    asyncio.run(scenario())
    assert http.most == {"a": 1, "b": 1, "c": 1, "all": 3}
