"""Whichever answer is lost, our own object is told from another writer's."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest

from export_pipeline.errors import AlreadyExists
from export_pipeline.storage.store import Store
from export_pipeline_tests.servers.faults import Answer, Fate, Gate
from export_pipeline_tests.storage.conformance import chunked, put, read
from export_pipeline_tests.storage.fault_conformance import FaultConformance
from export_pipeline_tests.storage.upstream import Upstream

UNAVAILABLE: Answer = (500, {}, b"")


class LostAnswers(FaultConformance):
    """Each test loses the first answer, then the second, until there are no more to lose."""

    def test_whichever_answer_to_a_write_is_lost_the_object_is_ours(
        self, upstream: Upstream, gate: Gate, direct: Store, data: bytes
    ) -> None:
        store = upstream.store(gate.url)

        async def scenario() -> None:
            for before in count():
                gate.answers = [*[Fate.PASSED] * before, Fate.LOST]
                stored = await store.put(f"ours-{before}", chunked(data))
                assert stored.size == len(data)
                assert await read(direct, f"ours-{before}") == data
                if gate.answers:
                    return

        asyncio.run(scenario())

    def test_whichever_answer_to_a_write_is_lost_another_writers_object_is_left_as_it_is(
        self, upstream: Upstream, gate: Gate, direct: Store, data: bytes
    ) -> None:
        async def overtaken(key: str, theirs: bytes) -> AsyncIterator[bytes]:
            yield data[:-1]
            await asyncio.to_thread(upstream.write, key, theirs)
            yield data[-1:]

        store = upstream.store(gate.url)

        async def scenario() -> None:
            for before in count():
                key, theirs = f"theirs-{before}", data[::-1]
                gate.answers = [*[Fate.PASSED] * before, UNAVAILABLE]
                with pytest.raises(AlreadyExists, match=key):
                    await store.put(key, overtaken(key, theirs))
                assert await read(direct, key) == theirs
                if gate.answers:
                    return

        asyncio.run(scenario())

    def test_whichever_answer_to_a_copy_is_lost_ours_is_told_from_another_writers_object(
        self, upstream: Upstream, gate: Gate, direct: Store
    ) -> None:
        store = upstream.store(gate.url)

        async def scenario() -> None:
            await put(direct, "source", b"same")
            for before in count():
                gate.answers = [*[Fate.PASSED] * before, Fate.LOST]
                assert (await store.copy("source", f"ours-{before}")).size == 4
                assert await read(direct, f"ours-{before}") == b"same"
                was_heard = bool(gate.answers)
                for theirs in (b"else", b"longer"):
                    key = f"theirs-{before}"
                    await asyncio.to_thread(upstream.write, key, theirs)
                    gate.answers = [*[Fate.PASSED] * before, UNAVAILABLE]
                    with pytest.raises(AlreadyExists, match=key):
                        await store.copy("source", key)
                    assert await read(direct, key) == theirs
                if was_heard:
                    return

        asyncio.run(scenario())
