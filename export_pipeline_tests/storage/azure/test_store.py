import asyncio
import base64
import os
from collections.abc import Iterator
from urllib.parse import parse_qs

import aiohttp
import pytest
from starlette.types import Scope
from yarl import URL

from export_pipeline.archive.layout import bag_prefix
from export_pipeline.errors import AccessDenied, AlreadyExists, StoreError, StoreUnavailable
from export_pipeline.scans import ScanKey
from export_pipeline.storage.azure import blobs, blocks
from export_pipeline.storage.azure import store as azure_store
from export_pipeline.storage.azure.store import AzureStore
from export_pipeline.storage.probe import probe
from export_pipeline.storage.store import pieces
from export_pipeline_tests.servers.azurite import ACCOUNT, KEY, Azurite
from export_pipeline_tests.servers.faults import Gate
from export_pipeline_tests.servers.identity import Identity
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.storage.azure.conftest import LEFT_OPEN, opened
from export_pipeline_tests.storage.conformance import (
    StoreConformance,
    chunked,
    keys,
    put,
    read,
    require_error_of_every_method,
)
from export_pipeline_tests.storage.memory import megabytes_needed

BLOCK_BYTES = 1024**2


class TestWithAccessKey(StoreConformance):
    part_bytes = blocks.BLOCK_BYTES


class TestWithSasToken(StoreConformance):
    part_bytes = blocks.BLOCK_BYTES

    @pytest.fixture
    def store(self, azurite: Azurite, container: str) -> AzureStore:
        return opened(container, azurite.token_variables(container))


@LEFT_OPEN
class TestWithIdentity(StoreConformance):
    part_bytes = blocks.BLOCK_BYTES

    @pytest.fixture
    def store(self, tls_azurite: Azurite, identity: Identity) -> AzureStore:
        container = tls_azurite.new_container()
        return opened(container, {"EXPORT_AZURE_ENDPOINT": tls_azurite.service})


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Make small blocks, and return a blob of two and a half of them."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", BLOCK_BYTES)
    return os.urandom(BLOCK_BYTES * 5 // 2)


def committed(azurite: Azurite, container: str, name: str) -> list[int]:
    """The sizes of a blob's blocks."""
    found, _ = azurite.client.get_blob_client(container, name).get_block_list("committed")
    return [block.size for block in found]


def test_a_blob_in_blocks_is_whole_and_create_only(
    store: AzureStore, azurite: Azurite, container: str, small_blocks: bytes
) -> None:
    async def scenario() -> None:
        stored = await store.put("large", chunked(small_blocks))
        assert stored.size == len(small_blocks)
        assert stored == await store.stat("large")
        with pytest.raises(AlreadyExists, match="large"):
            await store.put("large", chunked(small_blocks[::-1]))
        assert await read(store, "large") == small_blocks
        assert await read(store, "large", offset=BLOCK_BYTES + 3) == small_blocks[BLOCK_BYTES + 3 :]

    asyncio.run(scenario())
    half = BLOCK_BYTES // 2
    assert committed(azurite, container, "my archive/large") == [BLOCK_BYTES, BLOCK_BYTES, half]


def test_a_stream_of_exactly_one_block_is_one_put(
    store: AzureStore, azurite: Azurite, container: str, small_blocks: bytes
) -> None:
    async def scenario() -> None:
        one = small_blocks[:BLOCK_BYTES]
        assert ((await store.put("one", chunked(one))).checksum or "").startswith("md5:")
        two = await store.put("two", chunked(small_blocks[: BLOCK_BYTES + 1]))
        assert (two.checksum or "").startswith("etag:")
        assert await read(store, "one") == one

    asyncio.run(scenario())
    assert committed(azurite, container, "my archive/one") == []
    assert committed(azurite, container, "my archive/two") == [BLOCK_BYTES, 1]


def test_of_writers_of_one_large_blob_one_wins_and_the_blob_is_not_mixed(
    store: AzureStore, small_blocks: bytes
) -> None:
    bodies = [bytes([number]) * len(small_blocks) for number in range(6)]

    async def scenario() -> None:
        outcomes = await asyncio.gather(
            *(store.put("contested", chunked(body)) for body in bodies), return_exceptions=True
        )
        won = [number for number, one in enumerate(outcomes) if not isinstance(one, AlreadyExists)]
        assert len(won) == 1
        assert await read(store, "contested") == bodies[won[0]]

    asyncio.run(scenario())


def test_a_stream_over_the_most_blocks_is_refused_in_words(
    store: AzureStore, monkeypatch: pytest.MonkeyPatch, small_blocks: bytes
) -> None:
    monkeypatch.setattr(blocks, "MAX_BLOCKS", 2)
    with pytest.raises(StoreError, match="GiB, the most this store writes"):
        asyncio.run(store.put("too-large", chunked(small_blocks)))
    assert asyncio.run(keys(store)) == []


def test_a_small_blob_has_the_md5_that_the_service_checked(store: AzureStore) -> None:
    stored = asyncio.run(put(store, "abc", b"abc"))
    assert stored.checksum == "md5:900150983cd24fb0d6963f7d28e17f72"


def test_a_list_tells_of_each_blob_what_stat_tells(store: AzureStore, small_blocks: bytes) -> None:
    async def scenario() -> None:
        await put(store, "small", b"abc")
        await store.put("large", chunked(small_blocks))
        async for found in store.list():
            assert found == await store.stat(found.key)

    asyncio.run(scenario())


def test_a_list_goes_over_many_pages(store: AzureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_store, "LIST_PAGE", 50)

    async def scenario() -> None:
        wanted = [f"a/{number:04}+b c%2F&é<" for number in range(120)]
        await asyncio.gather(*(put(store, key) for key in wanted))
        assert await keys(store) == wanted
        assert await keys(store, "a/01") == wanted[100:]

    asyncio.run(scenario())


@pytest.mark.parametrize("scan", ['a/../b%2f;:"<x>', "=2e", "..", "a b", "é/\u4e2d", "x.y...z"])
def test_any_scan_id_has_a_key_of_its_own(store: AzureStore, scan: str) -> None:
    key = f"{bag_prefix(ScanKey('copyleaks', 'default', scan), 1)}data/report.pdf"

    async def scenario() -> None:
        await put(store, key, b"report")
        assert await read(store, key) == b"report"
        assert await keys(store) == [key]
        await store.copy(key, f"copied/{key}")
        assert await read(store, f"copied/{key}") == b"report"

    asyncio.run(scenario())


def test_what_is_set_is_kept_with_every_blob(
    azurite: Azurite, container: str, small_blocks: bytes
) -> None:
    metadata = {"EXPORT_AZURE_METADATA": '{"team": "research", "a_b": "1", "a1": "2"}'}
    store = opened(container, azurite.variables() | metadata)

    async def scenario() -> None:
        await store.put("small", pieces(b"x"), content_type="text/csv")
        await store.put("large", chunked(small_blocks), content_type="text/csv")
        await store.copy("small", "copied")

    asyncio.run(scenario())
    for name in ("small", "large", "copied"):
        kept = azurite.client.get_blob_client(container, f"my archive/{name}").get_blob_properties()
        assert kept.metadata == {"team": "research", "a_b": "1", "a1": "2"}
        assert kept.content_settings.content_type == "text/csv"


def test_a_deleted_blob_leaves_no_snapshot(
    store: AzureStore, azurite: Azurite, container: str
) -> None:
    asyncio.run(put(store, "a"))
    azurite.client.get_blob_client(container, "my archive/a").create_snapshot()
    asyncio.run(store.delete("a"))
    left = azurite.client.get_container_client(container).list_blobs(include=["snapshots"])
    assert list(left) == []


class CopyingGate(Gate):
    """Does what Azure does and Azurite does not: Put Block From URL."""

    def __init__(self, azurite: Azurite) -> None:
        super().__init__(azurite.url)
        self.azurite = azurite

    async def _passed_on(self, scope: Scope, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = parse_qs(scope["query_string"].decode())
        if query.get("comp") != ["block"] or "x-ms-copy-source" not in headers:
            return await super()._passed_on(scope, body)
        source = URL(headers["x-ms-copy-source"], encoded=True)
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                URL(self.azurite.url + source.raw_path_qs, encoded=True),
                headers={
                    "range": headers["x-ms-source-range"],
                    "if-match": headers["x-ms-source-if-match"],
                },
            ) as response,
        ):
            if response.status != 206:
                return response.status, {"x-ms-error-code": "CannotVerifyCopySource"}, b""
            data = await response.read()
        _, _, container, name = scope["path"].split("/", 3)
        blob = self.azurite.client.get_blob_client(container, name)
        block = base64.b64decode(query["blockid"][0]).decode()
        await asyncio.to_thread(blob.stage_block, block, data)
        return 201, {}, b""


@pytest.fixture(params=["key", "token"])
def copying(
    request: pytest.FixtureRequest, azurite: Azurite, container: str
) -> Iterator[tuple[AzureStore, CopyingGate]]:
    gate = CopyingGate(azurite)
    variables = (
        azurite.variables() if request.param == "key" else azurite.token_variables(container)
    )
    with running(gate) as url:
        variables["EXPORT_AZURE_ENDPOINT"] = f"{url}/{ACCOUNT}"
        yield opened(container, variables), gate


def test_a_large_blob_is_copied_in_blocks_by_the_service(
    copying: tuple[AzureStore, CopyingGate], monkeypatch: pytest.MonkeyPatch, small_blocks: bytes
) -> None:
    store, gate = copying
    monkeypatch.setattr(blobs, "COPY_BYTES", len(small_blocks) - 1)
    monkeypatch.setattr(blocks, "COPY_BLOCK_BYTES", 1_000_000)

    async def scenario() -> None:
        await store.put("a b/=2f", chunked(small_blocks), content_type="text/csv")
        gate.requests.clear()
        copied = await store.copy("a b/=2f", "deep/target")
        assert copied.size == len(small_blocks)
        # HEAD, three blocks, their list, HEAD: no byte passed here.
        assert [one.split()[0] for one in gate.requests] == ["HEAD", *["PUT"] * 4, "HEAD"]
        assert await read(store, "deep/target") == small_blocks
        with pytest.raises(AlreadyExists, match="deep/target"):
            await store.copy("a b/=2f", "deep/target")

    asyncio.run(scenario())
    kept = gate.azurite.client.get_container_client(store.url.split("/")[3])
    properties = kept.get_blob_client("my archive/deep/target").get_blob_properties()
    assert properties.content_settings.content_type == "text/csv"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"EXPORT_AZURE_ACCESS_KEY": base64.b64encode(b"wrong").decode()},
            AccessDenied,
            "check EXPORT_AZURE_ACCESS_KEY",
        ),
        (
            {"EXPORT_AZURE_ENDPOINT": f"http://127.0.0.1:1/{ACCOUNT}"},
            StoreUnavailable,
            "127.0.0.1:1 gave no",
        ),
        (
            {"EXPORT_AZURE_ACCESS_KEY": "", "EXPORT_AZURE_SAS_TOKEN": "se=2020-01-01&sig=c2VjcmV0"},
            AccessDenied,
            "EXPORT_AZURE_SAS_TOKEN ended at 2020-01-01T00:00:00Z: set a new one",
        ),
    ],
)
def test_a_mistake_in_the_settings_is_told_by_every_method(
    azurite: Azurite,
    container: str,
    changes: dict[str, str],
    error: type[StoreError],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("export_pipeline.storage.retries.ATTEMPTS", 1)
    require_error_of_every_method(
        opened(container, azurite.variables() | changes), error, words, (KEY, "c2VjcmV0")
    )


def test_a_missing_container_is_never_taken_for_a_missing_blob(azurite: Azurite) -> None:
    store = opened("no-such-container", azurite.variables())
    require_error_of_every_method(
        store, StoreError, "'no-such-container'.*no such container: make it", (KEY, "c2VjcmV0")
    )


def test_who_may_only_read_is_told_what_the_token_lacks(azurite: Azurite, container: str) -> None:
    store = opened(container, azurite.token_variables(container, "r"))
    for call, needed in (
        (put(store, "a"), "PutBlob of 'my archive/a'.*permission c and w"),
        (keys(store), "ListBlobs.*permission l"),
        (store.delete("a"), "DeleteBlob of 'my archive/a'.*permission d"),
    ):
        with pytest.raises(AccessDenied, match=needed):
            asyncio.run(call)


def test_a_probe_finds_every_step_works_and_leaves_nothing(store: AzureStore) -> None:
    async def scenario() -> None:
        steps = await probe(store)
        assert [(step.name, step.ok) for step in steps] == [
            ("write", True),
            ("read back", True),
            ("create-only", True),
            ("sign", True),
            ("signed upload", True),
            ("create-only by signed URL", True),
            ("delete", True),
        ]
        assert await keys(store) == []

    asyncio.run(scenario())


def test_with_only_a_sas_token_vendors_are_sent_to_the_receiver(
    azurite: Azurite, container: str
) -> None:
    store = opened(container, azurite.token_variables(container))
    assert not store.capabilities.signs_uploads
    steps = {step.name: step for step in asyncio.run(probe(store))}
    assert steps["create-only"].ok
    assert steps["sign"].ok is None
    assert "through the receiver" in steps["sign"].words


def test_a_large_stream_needs_little_memory(azurite: Azurite, container: str) -> None:
    assert megabytes_needed(f"az://{ACCOUNT}/{container}", azurite.variables()) < 150
