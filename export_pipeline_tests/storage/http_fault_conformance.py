"""What every store that speaks HTTP must do, whatever it is answered."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from export_pipeline.errors import AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.storage.retries import ATTEMPTS, LONGEST_RETRY_AFTER_SECONDS
from export_pipeline.storage.store import Store
from export_pipeline_tests.servers.faults import Answer, FaultProxy, Gate
from export_pipeline_tests.storage.conformance import chunked, keys, put, read
from export_pipeline_tests.storage.fault_conformance import LARGE
from export_pipeline_tests.storage.lost_answers import LostAnswers
from export_pipeline_tests.storage.upstream import Pauses, Upstream

Told = tuple[type[StoreError], str]
"""An error and a pattern of its words."""


def require_told_after_one_try(
    gate: Gate,
    calls: Sequence[Callable[[], Awaitable[object]]],
    answer: Answer,
    error: type[StoreError],
    words: str,
) -> str:
    """Check that this answer ends each call at once, with an error that no other try mends.

    Returns:
        What was told, all together.
    """
    texts = []
    for call in calls:
        gate.answers, gate.requests = [answer], []
        with pytest.raises(error, match=words) as told:
            asyncio.run(_awaited(call))
        assert not told.value.transient
        assert len(gate.requests) == 1
        texts.append(str(told.value))
    return "\n".join(texts)


def misheard(answer: Answer, header: str, value: str) -> Answer:
    """Return an answer with another value of a header, where it has that."""
    status, headers, body = answer
    return status, {key: value if key.lower() == header else headers[key] for key in headers}, body


async def _awaited(call: Callable[[], Awaitable[object]]) -> None:
    await call()


class HttpFaultConformance(LostAnswers):
    """The fields that have no value here say how this service speaks."""

    busy: Answer
    """The headers and body of an error that will go away; its status is another one each time."""
    busy_words: str
    """What is told of it, of the object `<scratch>b`: a pattern, with {status} for the status."""
    scratch = "a"
    """A key whose first request is that which writes it."""
    nothing_stored: Told = (StoreUnavailable, "was written and is not there")
    """What is told of a write that was answered as a success and is not there."""
    other_bytes_stored: Told = (StoreUnavailable, "stored with other bytes; now deleted")
    """What is told if other bytes are there, which are taken away again, unless `AlreadyExists`
    says that they are taken for another writer's."""
    wrong_checksum: Told | None = None
    """What is told of a checksum in an answer that is not ours. None: what was stored is read back
    then, and is right."""
    redirected: str
    """What is told of a redirect: a pattern."""

    def stored(self, upstream: Upstream) -> Answer:
        """The answer to a write of `scratch`, which says no more than that it was done."""
        raise NotImplementedError

    def misstated(self, answer: Answer) -> Answer:
        """The answer with another checksum than that of the bytes that the server has."""
        raise NotImplementedError

    @pytest.mark.parametrize("call", ["put", "read", "list"])
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_busy_server_is_asked_again(
        self, upstream: Upstream, gate: Gate, direct: Store, status: int, call: str
    ) -> None:
        self.require_asked_again(upstream, gate, direct, (status, *self.busy[1:]), call)

    def require_asked_again(
        self, upstream: Upstream, gate: Gate, direct: Store, busy: Answer, call: str = "put"
    ) -> None:
        """Check that this answer is overcome if it ends, and told if it does not."""
        asyncio.run(put(direct, "there", b"bytes"))
        store = upstream.store(gate.url)
        gate.answers = [busy] * (ATTEMPTS - 1)
        asyncio.run(self._call(store, call, self.scratch))
        assert gate.answers == []
        gate.answers = [busy] * (ATTEMPTS + 1)
        words = self.busy_words.format(status=busy[0]) if call == "put" else str(busy[0])
        with pytest.raises(StoreUnavailable, match=words) as told:
            asyncio.run(self._call(store, call, f"{self.scratch}b"))
        assert type(told.value) is StoreUnavailable
        assert len(gate.answers) == 1
        assert asyncio.run(direct.stat(f"{self.scratch}b")) is None

    async def _call(self, store: Store, call: str, key: str) -> None:
        if call == "put":
            await put(store, key)
        elif call == "read":
            assert await read(store, "there") == b"bytes"
        else:
            assert await keys(store, "the") == ["there"]

    @pytest.mark.parametrize("call", ["put", "read"])
    def test_a_server_that_says_how_long_to_wait_is_left_alone_for_so_long_within_bounds(
        self, upstream: Upstream, gate: Gate, direct: Store, call: str
    ) -> None:
        def asked(status: int, retry_after: str) -> Answer:
            return status, {**self.busy[1], "retry-after": retry_after}, self.busy[2]

        asyncio.run(put(direct, "there", b"bytes"))
        pauses = Pauses()
        store = upstream.store(gate.url, sleep=pauses)
        gate.answers = [asked(429, "17"), asked(503, "20"), asked(503, "soon")]
        asyncio.run(self._call(store, call, self.scratch))
        assert pauses[:2] == [17.0, 20.0]
        assert 0 < pauses[2] < 10
        gate.answers = [asked(503, f"{LONGEST_RETRY_AFTER_SECONDS + 1:.0f}")]
        with pytest.raises(StoreUnavailable, match="503"):
            asyncio.run(self._call(store, call, f"{self.scratch}b"))
        assert len(pauses) == 3

    def test_a_credential_is_never_sent_on_by_a_redirect(
        self, upstream: Upstream, gate: Gate
    ) -> None:
        store = upstream.store(gate.url)
        key = self.scratch
        calls = [lambda: put(store, key), lambda: read(store, key), lambda: keys(store)]
        elsewhere: Answer = (307, {"location": f"{gate.url}/elsewhere"}, b"")
        require_told_after_one_try(gate, calls, elsewhere, StoreError, self.redirected)

    def test_a_read_that_is_cut_again_and_again_goes_on_as_long_as_bytes_come(
        self, upstream: Upstream, proxy: FaultProxy, direct: Store
    ) -> None:
        asyncio.run(direct.put("large", chunked(LARGE)))
        proxy.strike(ATTEMPTS + 2, cut_answer_at=700_000)
        assert asyncio.run(read(upstream.store(proxy.url), "large")) == LARGE
        assert proxy.times == 0

    def test_bytes_that_always_change_on_their_way_are_given_up(
        self, upstream: Upstream, gate: Gate, direct: Store, data: bytes
    ) -> None:
        gate.is_altering = True
        with pytest.raises(self.changed_bytes_error, match="large"):
            asyncio.run(upstream.store(gate.url).put("large", chunked(data)))
        assert asyncio.run(keys(direct)) == []
        self.require_whole_or_nothing(upstream, direct, data)

    def test_a_wrong_checksum_answered_is_not_believed(
        self, upstream: Upstream, gate: Gate, direct: Store, data: bytes
    ) -> None:
        store = upstream.store(gate.url)
        gate.misstate = self.misstated
        if self.wrong_checksum is None:
            asyncio.run(store.put("large", chunked(data)))
            assert gate.requests[-1].startswith("GET ")
            assert gate.requests[-1].endswith("/large")
            assert asyncio.run(read(direct, "large")) == data
        else:
            error, words = self.wrong_checksum
            with pytest.raises(error, match=words):
                asyncio.run(store.put("large", chunked(data)))
        self.require_whole_or_nothing(upstream, direct, data)

    def test_a_success_that_stored_nothing_is_noticed(
        self, upstream: Upstream, gate: Gate, direct: Store
    ) -> None:
        error, words = self.nothing_stored
        gate.answers = [self.stored(upstream)]
        with pytest.raises(error, match=words):
            asyncio.run(put(upstream.store(gate.url), self.scratch, b"abc"))
        assert asyncio.run(direct.stat(self.scratch)) is None

    def test_other_bytes_than_were_sent_are_taken_away_again(
        self, upstream: Upstream, gate: Gate, direct: Store
    ) -> None:
        error, words = self.other_bytes_stored
        upstream.write(self.scratch, b"abd")
        gate.answers = [self.stored(upstream)]
        with pytest.raises(error, match=words):
            asyncio.run(put(upstream.store(gate.url), self.scratch, b"abc"))
        is_left = asyncio.run(direct.stat(self.scratch)) is not None
        assert is_left == (error is AlreadyExists)
