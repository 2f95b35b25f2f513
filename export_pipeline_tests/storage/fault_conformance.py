"""What every store that is reached over a network must do when that fails it.

A store's tests subclass `FaultConformance`, or where it speaks HTTP `HttpFaultConformance`, and
give a fixture `upstream`. The local store has no network: `test_local.py` breaks its disk.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from functools import partial

import pytest

from export_pipeline.errors import AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.store import CHUNK_BYTES, Store
from export_pipeline_tests.servers.faults import FaultProxy
from export_pipeline_tests.storage.conformance import broken_off, chunked, keys, put, read
from export_pipeline_tests.storage.upstream import PATIENT_SECONDS, Upstream

FAULTS = [
    {"cut_upload_at": 1},
    {"cut_upload_at": 200_000},
    {"cut_answer_at": 0},
    {"reset": True},
    {"stall_upload_at": 200_000},
]
ALWAYS = 1_000_000
"""Times that a fault hits, so that nothing gets through."""
STALL_SECONDS = 2.0
"""A slow machine may take as long for a call; it has four more tries of it."""
HOPELESS_SECONDS = 0.3
"""Where nothing is to get through anyway."""
LARGE = os.urandom(6_000_000)
HOUR = 3_600


def patience(fault: dict[str, int], hopeful: float = STALL_SECONDS) -> float:
    """Seconds after which a store that meets this fault is to give a call up."""
    stalls = any(name.startswith("stall") for name in fault)
    return hopeful if stalls else PATIENT_SECONDS


class FaultConformance:
    """Where a store or its server falls short, its tests say so by a field here."""

    part_bytes = CHUNK_BYTES
    """What is larger goes in parts, blocks or segments, or at least in more than one piece."""
    sends_changed_bytes_again = ("whole", "parts")
    """What `put` itself sends again if it arrives changed."""
    changed_bytes_error: type[StoreError] = StoreUnavailable
    """What is raised of what it does not, or if it does and nothing arrives unchanged."""
    leaves_unfinished = True
    """False: a writer that dies in the middle of its stream has sent nothing yet."""
    cleans_up = True
    """False: a writer that is cancelled cannot remove all that it sent."""
    sweeps = True
    """False: what writers leave cannot be seen or removed, and the service drops it by itself."""

    @pytest.fixture(params=["whole", "parts"])
    def data(self, request: pytest.FixtureRequest) -> bytes:
        """The most that is written by one call, and what goes in three."""
        return self.some(3 if request.param == "parts" else 1)

    def some(self, parts: int) -> bytes:
        return os.urandom(self.part_bytes if parts == 1 else self.part_bytes * (parts - 1) + 1_000)

    @pytest.fixture
    def direct(self, upstream: Upstream) -> Store:
        """A store that meets no fault."""
        return upstream.store(upstream.url)

    def require_whole_or_nothing(self, upstream: Upstream, direct: Store, data: bytes) -> None:
        """There is no object, or all of it; and once it is gone, nothing else is there."""
        for key in asyncio.run(keys(direct)):
            assert asyncio.run(read(direct, key)) == data
        asyncio.run(direct.delete("large"))
        asyncio.run(self.require_swept(upstream, direct))

    async def require_swept(self, upstream: Upstream, direct: Store) -> None:
        """Sweeping ends with nothing left, though what was on its way may arrive meanwhile."""
        async with asyncio.timeout(PATIENT_SECONDS):
            while self.sweeps and await asyncio.to_thread(upstream.unfinished):
                await direct.sweep(0, now=time.time() + 60)

    async def left(self, upstream: Upstream) -> None:
        """Return once the server has something of an upload that is under way."""
        unfinished = partial(asyncio.to_thread, upstream.unfinished)
        while self.leaves_unfinished and not await unfinished():  # noqa: ASYNC110  a server's doing
            await asyncio.sleep(0.01)

    @pytest.mark.parametrize("fault", [*FAULTS, {"cut_upload_at": 900_000}], ids=str)
    def test_a_write_survives_faults(
        self,
        upstream: Upstream,
        proxy: FaultProxy,
        direct: Store,
        data: bytes,
        fault: dict[str, int],
    ) -> None:
        # Some servers only make room at the first write, which may take longer than a stall.
        asyncio.run(put(direct, "first"))
        store = upstream.store(proxy.url, stall_seconds=patience(fault))
        proxy.strike(1 if "stall_upload_at" in fault else 2, **fault)
        stored = asyncio.run(store.put("large", chunked(data)))
        assert proxy.times == 0
        assert stored.size == len(data)
        assert asyncio.run(keys(direct)) == ["first", "large"]
        asyncio.run(direct.delete("first"))
        self.require_whole_or_nothing(upstream, direct, data)

    @pytest.mark.parametrize("fault", FAULTS, ids=str)
    def test_a_write_that_never_gets_through_is_transient_and_leaves_nothing_half(
        self,
        upstream: Upstream,
        proxy: FaultProxy,
        direct: Store,
        data: bytes,
        fault: dict[str, int],
    ) -> None:
        store = upstream.store(proxy.url, stall_seconds=patience(fault, HOPELESS_SECONDS))
        proxy.strike(ALWAYS, **fault)
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+"):
            asyncio.run(store.put("large", chunked(data)))
        self.require_whole_or_nothing(upstream, direct, data)

    @pytest.mark.parametrize("offset", [0, 1_234_567])
    @pytest.mark.parametrize(
        "fault",
        [{"cut_answer_at": 1_300_000}, {"stall_answer_at": 1_300_000}, {"reset": True}],
        ids=str,
    )
    def test_a_read_goes_on_where_it_was_broken_off(
        self,
        upstream: Upstream,
        proxy: FaultProxy,
        direct: Store,
        fault: dict[str, int],
        offset: int,
    ) -> None:
        asyncio.run(direct.put("large", chunked(LARGE)))
        store = upstream.store(proxy.url, stall_seconds=patience(fault))
        proxy.strike(1 if "stall_answer_at" in fault else 3, **fault)
        assert asyncio.run(read(store, "large", offset)) == LARGE[offset:]
        assert proxy.times == 0

    def test_a_read_never_joins_two_objects(
        self, upstream: Upstream, proxy: FaultProxy, direct: Store
    ) -> None:
        asyncio.run(direct.put("large", chunked(LARGE)))
        store = upstream.store(proxy.url)

        async def scenario() -> None:
            proxy.strike(1, stall_answer_at=3_000_000)
            reading = store.open("large")
            await anext(reading)
            await asyncio.to_thread(upstream.write, "large", LARGE[::-1] + b"another's")
            proxy.let_go()
            with pytest.raises(StoreError, match=r"'(p/)?large'.* replaced .*while it was read"):
                async for _ in reading:
                    pass

        asyncio.run(scenario())

    @pytest.mark.parametrize("fault", [{"cut_answer_at": 0}, {"reset": True}], ids=str)
    def test_every_call_survives_faults_and_is_transient_if_it_never_gets_through(
        self, upstream: Upstream, proxy: FaultProxy, direct: Store, fault: dict[str, int]
    ) -> None:
        asyncio.run(put(direct, "a", b"bytes"))
        store = upstream.store(proxy.url)
        for call in (
            lambda: store.stat("a"),
            lambda: read(store, "a"),
            lambda: keys(store),
            lambda: store.copy("a", "b"),
            lambda: store.delete("b"),
        ):
            proxy.strike(ALWAYS, **fault)
            with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+"):
                asyncio.run(call())
            # A copy may have been made although nobody heard of it.
            asyncio.run(direct.delete("b"))
            proxy.strike(2, **fault)
            asyncio.run(call())
            assert proxy.times == 0
        assert asyncio.run(keys(direct)) == ["a"]

    def test_bytes_that_change_on_their_way_are_never_an_object(
        self, upstream: Upstream, proxy: FaultProxy, direct: Store, data: bytes
    ) -> None:
        store = upstream.store(proxy.url)
        proxy.strike(1, change_upload_at=100_000)
        name = "whole" if len(data) == self.part_bytes else "parts"
        if name in self.sends_changed_bytes_again:
            asyncio.run(store.put("large", chunked(data)))
            assert asyncio.run(keys(direct)) == ["large"]
        else:
            with pytest.raises(self.changed_bytes_error, match="large"):
                asyncio.run(store.put("large", chunked(data)))
            assert asyncio.run(keys(direct)) == []
        assert proxy.times == 0
        self.require_whole_or_nothing(upstream, direct, data)

    def test_an_upload_left_half_way_is_never_visible_and_is_swept(
        self, upstream: Upstream, proxy: FaultProxy, direct: Store
    ) -> None:
        data = self.some(3)

        async def broken_for_good() -> AsyncIterator[bytes]:
            yield data[: self.part_bytes * 2 + 1]
            await self.left(upstream)
            proxy.strike(ALWAYS, reset=True, cut_upload_at=0)
            yield data[self.part_bytes * 2 + 1 :]

        async def scenario() -> None:
            with pytest.raises(StoreUnavailable):
                await upstream.store(proxy.url).put("large", broken_for_good())
            assert await direct.stat("large") is None
            assert await keys(direct) == []
            assert bool(upstream.unfinished()) == self.leaves_unfinished
            swept = self.leaves_unfinished and self.sweeps
            assert await direct.sweep(HOUR, now=time.time()) == 0
            assert await direct.sweep(HOUR, now=time.time() + 2 * HOUR) == swept
            await self.require_swept(upstream, direct)
            await direct.put("large", chunked(data))
            assert await read(direct, "large") == data

        asyncio.run(scenario())

    def test_nothing_stays_of_a_writer_that_is_cancelled_or_whose_stream_breaks_off(
        self, upstream: Upstream, direct: Store
    ) -> None:
        data = self.some(3)

        async def endless(is_sent: asyncio.Event) -> AsyncIterator[bytes]:
            yield data
            await self.left(upstream)
            is_sent.set()
            await asyncio.Event().wait()

        async def scenario() -> None:
            with pytest.raises(ConnectionResetError):
                await direct.put("large", broken_off(data))
            is_sent = asyncio.Event()
            writing = asyncio.create_task(direct.put("large", endless(is_sent)))
            await is_sent.wait()
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert upstream.unfinished() == [] or not self.cleans_up
            assert await direct.stat("large") is None
            assert await keys(direct) == []
            await self.require_swept(upstream, direct)
            await put(direct, "large", b"whole")
            assert await read(direct, "large") == b"whole"

        asyncio.run(scenario())
        assert upstream.unfinished() == []

    def test_nothing_stays_of_a_write_or_copy_that_is_refused(
        self, upstream: Upstream, direct: Store, data: bytes
    ) -> None:
        async def scenario() -> None:
            await put(direct, "source")
            await put(direct, "taken")
            with pytest.raises(AlreadyExists, match="taken"):
                await direct.put("taken", chunked(data))
            with pytest.raises(AlreadyExists, match="taken"):
                await direct.copy("source", "taken")
            assert await keys(direct) == ["source", "taken"]

        asyncio.run(scenario())
        assert upstream.unfinished() == []
