"""Cuts, resets, stalls and a busy server: no partial blob, and the right kind of error."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    NotFound,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from export_pipeline.storage.azure import blocks
from export_pipeline.storage.azure.client import ATTEMPTS
from export_pipeline.storage.azure.open import open_store
from export_pipeline.storage.azure.store import AzureStore
from export_pipeline.storage.http import Http
from export_pipeline.storage.store import pieces
from export_pipeline_tests.servers.azurite import ACCOUNT, Azurite
from export_pipeline_tests.servers.faults import FaultProxy, Gate, running_fault_proxy
from export_pipeline_tests.servers.receiver import running
from export_pipeline_tests.storage.conformance import keys, put, read

BLOCK_BYTES = 1024**2
DATA = os.urandom(BLOCK_BYTES * 7 // 2)
BUSY = b"<Error><Code>ServerBusy</Code><Message>Slow down.\nTime:now</Message></Error>"
BLOB = f"/{ACCOUNT}/{{}}/p/{{}}"


class Pauses:
    """Does not wait, and remembers for how long it would have."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def proxy(azurite: Azurite) -> Iterator[FaultProxy]:
    with running_fault_proxy(azurite.url) as proxy:
        yield proxy


@pytest.fixture
def gate(azurite: Azurite) -> Iterator[tuple[Gate, str]]:
    gate = Gate(azurite.url)
    with running(gate) as url:
        yield gate, url


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", BLOCK_BYTES)


def through(
    url: str,
    azurite: Azurite,
    container: str,
    stall_seconds: float = 60.0,
    sleep: Pauses | None = None,
) -> AzureStore:
    variables = azurite.variables() | {"EXPORT_AZURE_ENDPOINT": f"{url}/{ACCOUNT}"}
    parts = urlsplit(f"az://{ACCOUNT}/{container}/p")
    return open_store(parts, variables, http=Http(stall_seconds), sleep=sleep or Pauses())


def chunked(data: bytes) -> AsyncIterator[bytes]:
    return pieces([data[start : start + 65_536] for start in range(0, len(data), 65_536)])


FAULTS = [
    {"cut_upload_at": 1},
    {"cut_upload_at": 500_000},
    {"cut_answer_at": 0},
    {"reset": True},
    {"stall_upload_at": 200_000},
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [BLOCK_BYTES, len(DATA)])
def test_a_write_survives_two_faults(
    proxy: FaultProxy, azurite: Azurite, container: str, fault: dict[str, int], size: int
) -> None:
    store = through(proxy.url, azurite, container, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 2
    stored = asyncio.run(store.put("large", chunked(DATA[:size])))
    assert proxy.hits == 2
    assert stored.size == size
    assert asyncio.run(read(store, "large")) == DATA[:size]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [BLOCK_BYTES, len(DATA)])
def test_a_write_that_never_gets_through_is_transient_and_leaves_nothing_half(
    proxy: FaultProxy, azurite: Azurite, container: str, fault: dict[str, int], size: int
) -> None:
    store = through(proxy.url, azurite, container, 1.0 if "stall_upload_at" in fault else 60.0)
    for name, value in fault.items():
        setattr(proxy, name, value)
    proxy.times = 1_000
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+"):
        asyncio.run(store.put("large", chunked(DATA[:size])))
    proxy.times = 0
    for key in asyncio.run(keys(store)):
        assert asyncio.run(read(store, key)) == DATA[:size]


@pytest.mark.parametrize("offset", [0, 1_234_567])
def test_a_read_goes_on_where_it_was_cut(
    proxy: FaultProxy, azurite: Azurite, container: str, offset: int
) -> None:
    store = through(proxy.url, azurite, container)
    asyncio.run(store.put("large", chunked(DATA)))
    proxy.cut_answer_at, proxy.times = 700_000, 3
    assert asyncio.run(read(store, "large", offset)) == DATA[offset:]
    assert proxy.hits == 3


def test_a_read_never_joins_two_blobs(
    gate: tuple[Gate, str], proxy: FaultProxy, azurite: Azurite, container: str
) -> None:
    store = through(proxy.url, azurite, container)
    data = os.urandom(12_000_000)
    asyncio.run(store.put("large", chunked(data)))

    async def scenario() -> None:
        proxy.cut_answer_at, proxy.times = 8_000_000, 1
        reading = store.open("large")
        await anext(reading)
        other = azurite.client.get_blob_client(container, "p/large")
        other.upload_blob(data[::-1], overwrite=True)
        with pytest.raises(StoreError, match=r"'p/large' in .*was replaced"):
            async for _ in reading:
                pass

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(
    gate: tuple[Gate, str], azurite: Azurite, container: str, status: int
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    app.answers = [(status, {}, BUSY)] * (ATTEMPTS - 1)
    asyncio.run(put(store, "a", b"x"))
    assert len(app.requests) == ATTEMPTS
    app.answers = [(status, {}, BUSY)] * ATTEMPTS
    with pytest.raises(StoreUnavailable, match=r"'p/b'.*Slow down\. \(ServerBusy \d+, request id"):
        asyncio.run(put(store, "b"))
    assert asyncio.run(keys(store)) == ["a"]


@pytest.mark.parametrize("call", ["put", "read"])
def test_the_time_that_a_busy_server_asks_for_is_given_within_bounds(
    gate: tuple[Gate, str], azurite: Azurite, container: str, call: str
) -> None:
    app, url = gate
    pauses = Pauses()
    store = through(url, azurite, container, sleep=pauses)
    asyncio.run(put(store, "there"))
    calls = {"put": lambda: put(store, "a"), "read": lambda: read(store, "there")}
    app.answers = [(503, {"retry-after": "20"}, BUSY)]
    asyncio.run(calls[call]())
    assert pauses.seconds == [20.0]
    app.answers = [(503, {"retry-after": "3600"}, BUSY)]
    with pytest.raises(StoreUnavailable, match="ServerBusy"):
        asyncio.run({**calls, "put": lambda: put(store, "b")}[call]())
    assert len(pauses.seconds) == 1


@pytest.mark.parametrize(
    ("status", "headers", "code", "error", "words"),
    [
        (403, {}, "AuthenticationFailed", AccessDenied, "check EXPORT_AZURE_ACCESS_KEY"),
        (403, {}, "AuthorizationFailure", AccessDenied, "the account's network rules"),
        (
            403,
            {"date": "Sat, 01 Jan 2000 00:00:00 GMT"},
            "AuthenticationFailed",
            AccessDenied,
            r"clock is \d{9} seconds off",
        ),
        (
            403,
            {},
            "KeyBasedAuthenticationNotPermitted",
            AccessDenied,
            "unset EXPORT_AZURE_ACCESS_KEY",
        ),
        (403, {}, "AccountIsDisabled", AccessDenied, "ask who administers it"),
        (404, {}, "ContainerNotFound", StoreError, "no such container: make it"),
        (409, {}, "ContainerBeingDeleted", StoreError, "is being deleted"),
        (409, {}, "BlobArchived", StoreError, "rehydrate it"),
        (507, {}, "", StoreFull, "no room left"),
        (301, {"location": "http://127.0.0.1:1/"}, "", StoreError, "EXPORT_AZURE_ENDPOINT"),
        (400, {"x-ms-request-id": "7"}, "InvalidInput", StoreError, "InvalidInput 400.*id 7"),
        (404, {}, "", StoreError, "HTTP 404"),
    ],
)
def test_an_error_that_will_not_go_away_is_told_in_words_after_one_try(
    gate: tuple[Gate, str],
    azurite: Azurite,
    container: str,
    status: int,
    headers: dict[str, str],
    code: str,
    error: type[StoreError],
    words: str,
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    # The answer to a HEAD says its code in a header alone, that to anything else in its body too.
    told_in = {"x-ms-error-code": code} if code else {}
    body = f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode() if code else b""
    for call, is_head in (
        (lambda: put(store, "a"), False),
        (lambda: store.stat("a"), True),
        (lambda: read(store, "a"), False),
        (lambda: keys(store), False),
    ):
        answer = (status, {**headers, **told_in}, b"") if is_head else (status, headers, body)
        app.answers, app.requests = [answer], []
        with pytest.raises(error, match=words) as told:
            asyncio.run(call())
        assert not told.value.transient
        assert not isinstance(told.value, NotFound)
        assert len(app.requests) == 1


def test_what_a_policy_keeps_is_told(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    asyncio.run(put(store, "a"))
    kept = (409, {"x-ms-error-code": "BlobImmutableDueToPolicy"}, b"")
    app.answers = [kept]
    with pytest.raises(AccessDenied, match=r"DeleteBlob of 'p/a'.*an immutability policy keeps it"):
        asyncio.run(store.delete("a"))
    app.answers = [kept]
    with pytest.raises(AlreadyExists, match="'p/a'"):
        asyncio.run(put(store, "a", b"other"))


@pytest.mark.parametrize("code", ["Md5Mismatch", "OperationTimedOut"])
def test_bytes_that_changed_on_their_way_are_sent_again(
    gate: tuple[Gate, str], azurite: Azurite, container: str, code: str
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    app.answers = [(400, {"x-ms-error-code": code}, b"")]
    asyncio.run(store.put("large", chunked(DATA)))
    assert asyncio.run(read(store, "large")) == DATA


def test_a_server_that_checks_md5_refuses_other_bytes(
    azurite: Azurite, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def of_other_bytes(_: object) -> str:
        return "1B2M2Y8AsgTpgAmY7PhCfg=="

    monkeypatch.setattr(blocks, "content_md5", of_other_bytes)
    store = through(azurite.url, azurite, container)
    for data in (b"small", DATA):
        with pytest.raises(StoreError, match="contentMD5 doesn't match"):
            asyncio.run(store.put("a", chunked(data)))
    assert asyncio.run(keys(store)) == []


def test_a_store_that_tells_no_md5_is_read_back(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    app, url = gate
    app.dropped = {"content-md5"}
    store = through(url, azurite, container)
    asyncio.run(put(store, "small", b"abc"))
    assert app.requests[-1] == f"GET {BLOB.format(container, 'small')}"
    asyncio.run(store.put("large", chunked(DATA)))
    assert app.requests[-1] == f"GET {BLOB.format(container, 'large')}"
    assert (asyncio.run(store.stat("small")).checksum or "").startswith("etag:")


@pytest.mark.parametrize("told", [{}, {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}])
def test_other_bytes_than_were_sent_are_taken_away_again(
    gate: tuple[Gate, str], azurite: Azurite, container: str, told: dict[str, str]
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    azurite.client.get_blob_client(container, "p/a").upload_blob(b"abd")
    app.answers = [(201, told, b"")]
    with pytest.raises(StoreUnavailable, match=r"'p/a' in .*stored with other bytes"):
        asyncio.run(put(store, "a", b"abc"))
    assert asyncio.run(keys(store)) == []


@pytest.mark.parametrize("size", [BLOCK_BYTES, len(DATA)])
def test_a_lost_answer_to_our_own_write_is_told_from_another_writers_blob(
    gate: tuple[Gate, str], azurite: Azurite, container: str, size: int
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    data = DATA[:size]
    before = [None] * -(-size // BLOCK_BYTES) if size > BLOCK_BYTES else []

    async def scenario() -> None:
        # As if the first of two writes had got no answer: only the second is heard.
        await store.put("ours", chunked(data))
        app.answers = [*before, (500, {}, b"")]
        assert (await store.put("ours", chunked(data))).size == size
        await store.put("theirs", chunked(data[::-1]))
        app.answers = [*before, (500, {}, b"")]
        with pytest.raises(AlreadyExists, match="theirs"):
            await store.put("theirs", chunked(data))

    asyncio.run(scenario())
    assert asyncio.run(read(store, "theirs")) == data[::-1]


def test_a_lost_answer_to_a_list_of_blocks_is_no_error(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    """Azure may say of the repeated list that its blocks are gone, not that the blob exists."""
    app, url = gate
    store = through(url, azurite, container)
    gone = (400, {"x-ms-error-code": "InvalidBlockList"}, b"")
    asyncio.run(store.put("large", chunked(DATA)))
    app.answers = [None] * 4 + [gone]
    assert asyncio.run(store.put("large", chunked(DATA))).size == len(DATA)
    app.answers = [None] * 4 + [gone]
    with pytest.raises(StoreUnavailable, match=r"'p/never' in .*its blocks are gone: write it"):
        asyncio.run(store.put("never", chunked(DATA)))


def test_a_lost_answer_to_a_copy_is_told_from_another_writers_blob(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    app, url = gate
    store = through(url, azurite, container)

    async def scenario() -> None:
        await put(store, "source", b"same")
        await store.copy("source", "ours")
        app.answers = [None, (500, {}, b"")]
        assert (await store.copy("source", "ours")).size == 4
        await put(store, "theirs", b"else")
        app.answers = [None, (500, {}, b"")]
        with pytest.raises(AlreadyExists, match="theirs"):
            await store.copy("source", "theirs")

    asyncio.run(scenario())


def test_a_source_that_is_replaced_while_it_is_copied_is_told(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    app, url = gate
    store = through(url, azurite, container)
    asyncio.run(put(store, "source", b"first"))
    head = {"content-length": "5", "etag": '"0x1"'}
    app.answers = [(200, head, b"first")]
    with pytest.raises(StoreError, match=r"'p/target'.*replaced by another blob meanwhile"):
        asyncio.run(store.copy("source", "target"))
    assert asyncio.run(keys(store)) == ["source"]


def test_folders_of_a_hierarchical_account_are_no_objects(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    """Such accounts list their folders and describe them: Azurite has none, so the gate says so."""
    app, url = gate
    store = through(url, azurite, container)
    folder = {"x-ms-resource-type": "directory", "content-length": "0"}
    app.answers = [(200, folder, b"")]
    assert asyncio.run(store.stat("folder")) is None
    app.answers = [(200, folder, b"")]
    with pytest.raises(NotFound, match="'folder'"):
        asyncio.run(read(store, "folder"))
    listed = (
        "<EnumerationResults><Blobs><Blob><Name>p/folder</Name><Properties><ResourceType>directory"
        "</ResourceType><Content-Length>0</Content-Length></Properties></Blob><Blob>"
        "<Name>p/folder/a</Name><Properties><ResourceType>file</ResourceType>"
        "<Content-Length>3</Content-Length></Properties></Blob></Blobs></EnumerationResults>"
    )
    app.answers = [(200, {}, listed.encode())]
    assert asyncio.run(keys(store)) == ["folder/a"]


def test_a_list_that_is_no_list_is_told(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    app, url = gate
    app.answers = [(200, {}, b"<html>")]
    with pytest.raises(StoreError, match="cannot be read"):
        asyncio.run(keys(through(url, azurite, container)))


def test_a_credential_is_never_sent_on_by_a_redirect(
    gate: tuple[Gate, str], azurite: Azurite, container: str
) -> None:
    app, url = gate
    app.answers = [(307, {"location": f"{url}/elsewhere"}, b"")]
    with pytest.raises(StoreError, match="it is elsewhere"):
        asyncio.run(put(through(url, azurite, container), "a"))
    assert app.requests == [f"PUT {BLOB.format(container, 'a')}"]
