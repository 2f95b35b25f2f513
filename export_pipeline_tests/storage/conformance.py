"""What every store must do, whatever it is made of.

A store's tests subclass `StoreConformance` and give a fixture `store`: an empty store. Each test
runs one event loop once, so that a client bound to its loop is made and closed inside it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import groupby

import pytest

from export_pipeline.errors import AlreadyExists, NotFound, StoreError
from export_pipeline.storage.store import CHUNK_BYTES, Store, StoredObject, pieces

LARGE = bytes(range(256)) * (CHUNK_BYTES // 256) * 2 + b"and a rest"


async def read(store: Store, key: str, offset: int = 0) -> bytes:
    return b"".join([chunk async for chunk in store.open(key, offset=offset)])


async def keys(store: Store, prefix: str = "") -> list[str]:
    return [found.key async for found in store.list(prefix)]


async def put(store: Store, key: str, data: bytes = b"x") -> StoredObject:
    return await store.put(key, pieces(data))


def chunked(data: bytes) -> AsyncIterator[bytes]:
    """In pieces at whose ends no part ends."""
    return pieces([data[start : start + 70_001] for start in range(0, len(data), 70_001)])


async def broken_off(data: bytes) -> AsyncIterator[bytes]:
    yield data
    raise ConnectionResetError("the vendor's link broke")


def require_error_of_every_method(
    store: Store,
    error: type[StoreError],
    words: str,
    secrets: Sequence[str] = (),
    *,
    sweeps: bool = False,
) -> None:
    """Check that each call is refused in these words, and that none of the secrets is among them.

    Of a large object too, whose first call is another one.

    Args:
        sweeps: to sweep takes a call.
    """

    async def scenario() -> None:
        for call in (
            put(store, "a"),
            store.put("a/large", pieces([b"x" * CHUNK_BYTES] * 17)),
            store.stat("a"),
            read(store, "a"),
            keys(store),
            keys(store, "a/"),
            store.copy("a", "b"),
            store.delete("a"),
            *([store.sweep(0, now=0)] if sweeps else []),
        ):
            with pytest.raises(error, match=words) as told:
                await call
            assert not [secret for secret in secrets if secret in str(told.value)]

    asyncio.run(scenario())


class StoreConformance:
    """Where a server falls short of a store's promise, its tests say so by a field here."""

    lists_in_order = True
    """False: a folder's objects stay together, but `a/` may come before `a-b`."""
    create_only = True
    """False: the server replaces objects. A second put is refused since `put` looks first; of
    several at once any may win, unless `receiver.guard` lets one go at a time."""
    completes_one_of_several = True
    """False: of several that end parts or copies of one key in the same moment, the server may let
    more than one through. What stays is one of them, whole."""
    part_bytes = CHUNK_BYTES
    """What is larger goes in parts, blocks or segments, or at least in more than one piece."""

    def test_what_was_put_is_read_back_and_described(self, store: Store) -> None:
        async def scenario() -> None:
            stored = await put(store, "a/b/c.json", b"{}")
            assert (stored.key, stored.size) == ("a/b/c.json", 2)
            assert await store.stat("a/b/c.json") == stored
            assert await read(store, "a/b/c.json") == b"{}"

        asyncio.run(scenario())

    def test_a_large_object_keeps_every_byte_whatever_the_size_of_its_pieces(
        self, store: Store
    ) -> None:
        async def scenario() -> None:
            await put(store, "one-piece", LARGE)
            many = [LARGE[start : start + 300_001] for start in range(0, len(LARGE), 300_001)]
            stored = await store.put("many-pieces", pieces(many))
            assert stored.size == len(LARGE)
            assert await read(store, "one-piece") == LARGE
            assert await read(store, "many-pieces") == LARGE

        asyncio.run(scenario())

    def test_an_object_of_whole_chunks_and_an_empty_one_are_read_to_their_end(
        self, store: Store
    ) -> None:
        async def scenario() -> None:
            await put(store, "whole", b"w" * CHUNK_BYTES)
            await put(store, "empty", b"")
            await store.put("no-pieces", pieces([]))
            assert await read(store, "whole") == b"w" * CHUNK_BYTES
            assert await read(store, "empty") == b""
            assert await read(store, "no-pieces") == b""

        asyncio.run(scenario())

    def test_reading_goes_on_from_an_offset(self, store: Store) -> None:
        async def scenario() -> None:
            await put(store, "large", LARGE)
            assert await read(store, "large", offset=len(LARGE) - 4) == b"rest"
            assert await read(store, "large", offset=CHUNK_BYTES) == LARGE[CHUNK_BYTES:]
            assert await read(store, "large", offset=len(LARGE)) == b""

        asyncio.run(scenario())

    def test_a_second_put_is_refused_and_leaves_the_first(self, store: Store) -> None:
        async def scenario() -> None:
            await put(store, "scan/report.pdf", b"first")
            with pytest.raises(AlreadyExists, match=r"scan/report\.pdf"):
                await put(store, "scan/report.pdf", b"second")
            assert await read(store, "scan/report.pdf") == b"first"

        asyncio.run(scenario())

    def test_of_concurrent_puts_of_one_key_exactly_one_wins(self, store: Store) -> None:
        if not self.create_only:
            pytest.skip("its server replaces objects: receiver/test_guard.py shows who writes then")

        async def scenario() -> None:
            bodies = [f"writer {number}".encode() * 100 for number in range(12)]
            outcomes = await asyncio.gather(
                *(put(store, "contested", body) for body in bodies), return_exceptions=True
            )
            won = [index for index, outcome in enumerate(outcomes) if not _lost(outcome)]
            assert len(won) == 1
            assert await read(store, "contested") == bodies[won[0]]
            assert await keys(store) == ["contested"]

        asyncio.run(scenario())

    def require_one_winner(self, outcomes: Sequence[StoredObject | BaseException]) -> None:
        """One won, and the others were told, as far as the server goes."""
        won = [one for one in outcomes if isinstance(one, StoredObject)]
        expected = AlreadyExists if self.create_only else StoreError
        assert all(isinstance(one, StoredObject | expected) for one in outcomes), outcomes
        assert won or not self.create_only
        assert len(won) == 1 or not (self.create_only and self.completes_one_of_several)

    def test_concurrent_puts_of_one_key_never_leave_a_mixture(self, store: Store) -> None:
        async def scenario() -> None:
            bodies = [bytes([number]) * 200_000 for number in range(6)]
            await asyncio.gather(
                *(put(store, "contested", body) for body in bodies), return_exceptions=True
            )
            for key in await keys(store):
                assert await read(store, key) in bodies

        asyncio.run(scenario())

    def test_of_concurrent_puts_in_parts_one_wins_whole(self, store: Store) -> None:
        async def scenario() -> None:
            bodies = [bytes([number]) * (self.part_bytes + 1) for number in range(3)]
            outcomes = await asyncio.gather(
                *(store.put("contested", chunked(body)) for body in bodies), return_exceptions=True
            )
            self.require_one_winner(outcomes)
            if self.create_only or await store.stat("contested"):
                found = await read(store, "contested")
                assert found in bodies, found[:1]  # pytest would show where 16 MiB differ
                assert isinstance(outcomes[found[0]], StoredObject) or not self.create_only

        asyncio.run(scenario())

    def test_of_concurrent_copies_to_one_key_exactly_one_wins(self, store: Store) -> None:
        if not self.create_only:
            pytest.skip("its server replaces objects: receiver/test_guard.py shows who writes then")

        async def scenario() -> None:
            sources = [f"source-{number}" for number in range(6)]
            for source in sources:
                await put(store, source, source.encode())
            outcomes = await asyncio.gather(
                *(store.copy(source, "contested") for source in sources), return_exceptions=True
            )
            self.require_one_winner(outcomes)
            found = (await read(store, "contested")).decode()
            assert isinstance(outcomes[sources.index(found)], StoredObject)

        asyncio.run(scenario())

    def test_a_stream_that_breaks_off_leaves_nothing_and_may_be_put_again(
        self, store: Store
    ) -> None:
        async def scenario() -> None:
            for data in (b"small", LARGE):
                with pytest.raises(ConnectionResetError):
                    await store.put("broken", broken_off(data))
                assert await store.stat("broken") is None
                assert await keys(store) == []
            await put(store, "broken", b"whole")
            assert await read(store, "broken") == b"whole"

        asyncio.run(scenario())

    def test_nothing_is_visible_before_the_last_byte(self, store: Store) -> None:
        async def watched() -> AsyncIterator[bytes]:
            for start in range(0, len(LARGE), CHUNK_BYTES):
                yield LARGE[start : start + CHUNK_BYTES]
                assert await store.stat("slow") is None
                assert await keys(store) == []

        async def scenario() -> None:
            await store.put("slow", watched())
            assert await read(store, "slow") == LARGE

        asyncio.run(scenario())

    def test_an_absent_object_is_none_to_stat_and_not_found_to_open_and_copy(
        self, store: Store
    ) -> None:
        async def scenario() -> None:
            await put(store, "folder/file")
            for absent in ("nothing", "folder", "folder/file/below"):
                assert await store.stat(absent) is None
                with pytest.raises(NotFound, match=absent):
                    await read(store, absent)
                with pytest.raises(NotFound, match=absent):
                    await store.copy(absent, "target")
            assert await keys(store) == ["folder/file"]

        asyncio.run(scenario())

    def test_a_list_is_in_order_of_key_and_begins_with_the_prefix(self, store: Store) -> None:
        """A folder `a` sorts as `a/`, after `a-b` and `a.b`: stores order keys, not names."""
        wanted = ["a-b", "a.b", "a/1", "a/10", "a/2/x", "a0", "b/1/data/x", "b/1/y", "b/2/y"]

        async def scenario() -> None:
            for key in reversed(wanted):
                await put(store, key, key.encode())
            listed = [(found.key, found.size) async for found in store.list()]
            folders = [key.rpartition("/")[0] for key, _ in listed if "/" in key]
            assert len(list(groupby(folders))) == len(set(folders))
            in_order = listed if self.lists_in_order else sorted(listed)
            assert in_order == [(key, len(key)) for key in wanted]
            for prefix in ("a", "a/", "a/1", "b/1/", "b/", "b/1/data/x", "c", "a/2/x/y/"):
                found = await keys(store, prefix)
                in_order = found if self.lists_in_order else sorted(found)
                assert in_order == [k for k in wanted if k.startswith(prefix)]

        asyncio.run(scenario())

    def test_a_copy_has_the_bytes_and_never_replaces(self, store: Store) -> None:
        async def scenario() -> None:
            await put(store, "source", LARGE)
            await put(store, "taken", b"taken")
            copied = await store.copy("source", "deep/target")
            assert (copied.key, copied.size) == ("deep/target", len(LARGE))
            with pytest.raises(AlreadyExists, match="taken"):
                await store.copy("source", "taken")
            await store.delete("source")
            assert await read(store, "deep/target") == LARGE
            assert await read(store, "taken") == b"taken"

        asyncio.run(scenario())

    def test_a_deleted_object_is_gone_and_deleting_it_again_is_fine(self, store: Store) -> None:
        async def scenario() -> None:
            await put(store, "a/gone")
            await put(store, "a/kept")
            await store.delete("a/gone")
            await store.delete("a/gone")
            await store.delete("never/was")
            assert await keys(store) == ["a/kept"]
            await put(store, "a/gone", b"again")
            assert await read(store, "a/gone") == b"again"

        asyncio.run(scenario())

    def test_what_is_erased_is_gone_alone_and_may_be_written_again(self, store: Store) -> None:
        kept = ["a-b", "a/1/x", "a/10", "a/11/x", "b/c/d/1/bag-info.txt"]
        gone = ["a/1/b/c/d/x", "a/1/b/c/d=2fé/1/data/r/1.json", "a/1/b/c/e/1/y", "a/1/b/z"]

        async def scenario() -> None:
            for key in (*kept, *gone):
                await put(store, key, key.encode())
            there = [(found.key, found.size) async for found in store.versions("a/1/b/")]
            assert sorted(there) == [(key, len(key.encode())) for key in sorted(gone)]
            assert await store.erase("a/1/b/") == len(gone)
            assert await store.erase("a/1/b/") == await store.erase("a/1/b/z") == 0
            assert sorted(await keys(store)) == sorted(kept)
            assert [found.key async for found in store.versions("a/1/x")] == ["a/1/x"]
            assert await store.erase("a/1") == 0
            assert await store.erase("a/1/x") == 1
            assert [found.key async for found in store.versions("a/1/x")] == []
            for key in ("a/1/x", gone[1]):
                await put(store, key, b"again")
                assert await read(store, key) == b"again"
            assert sorted(await keys(store)) == sorted([*kept, gone[1]])

        asyncio.run(scenario())

    def test_nothing_is_erased_out_of_the_store(self, store: Store) -> None:
        async def scenario() -> None:
            await put(store, "good")
            for key in ("", "/", "../", "a/../../", "a//", "a\\b", "../up"):
                with pytest.raises(StoreError, match="is not a key"):
                    await store.erase(key)
            assert await keys(store) == ["good"]

        asyncio.run(scenario())

    @pytest.mark.parametrize(
        "key", ["", "/etc/passwd", "../up", "a/../../up", "a//b", "a/", "./a", "a\\b", "a\nb", "\0"]
    )
    def test_a_key_that_is_no_plain_path_is_refused_by_every_method(
        self, store: Store, key: str
    ) -> None:
        async def scenario() -> None:
            await put(store, "good")
            with pytest.raises(StoreError, match="is not a key"):
                await put(store, key)
            with pytest.raises(StoreError, match="is not a key"):
                await store.stat(key)
            with pytest.raises(StoreError, match="is not a key"):
                await read(store, key)
            with pytest.raises(StoreError, match="is not a key"):
                await store.copy("good", key)
            with pytest.raises(StoreError, match="is not a key"):
                await store.copy(key, "target")
            with pytest.raises(StoreError, match="is not a key"):
                await store.delete(key)
            assert await keys(store) == ["good"]

        asyncio.run(scenario())

    def test_a_list_does_not_step_out_of_the_store(self, store: Store) -> None:
        async def scenario() -> None:
            with pytest.raises(StoreError, match="is not a key"):
                await keys(store, "../")

        asyncio.run(scenario())

    def test_its_url_can_be_printed_and_its_capabilities_are_true(self, store: Store) -> None:
        assert "://" in store.url
        assert "@" not in store.url
        capabilities = store.capabilities
        assert capabilities.create_only == self.create_only
        assert capabilities.create_only or not capabilities.signs_uploads
        assert capabilities.lists
        assert (store.sign_upload("a", seconds=60) is not None) == capabilities.signs_uploads
        assert (store.sign_download("a", seconds=60) is not None) == capabilities.signs_downloads

    def test_it_tells_a_checksum_of_its_own_if_it_says_so(self, store: Store) -> None:
        async def scenario() -> None:
            await put(store, "a")
            found = await store.stat("a")
            assert found is not None
            assert (found.checksum is not None) == store.capabilities.checksums

        asyncio.run(scenario())


def _lost(outcome: StoredObject | BaseException) -> bool:
    return isinstance(outcome, AlreadyExists)
