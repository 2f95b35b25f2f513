"""Each answer that is no success: asked again, or told in words after one try."""

import asyncio

import pytest

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    NotFound,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from export_pipeline.storage.retries import ATTEMPTS
from export_pipeline_tests.servers.azurite import Azurite
from export_pipeline_tests.servers.faults import Gate
from export_pipeline_tests.storage.azure.faults import BLOB, BUSY, Pauses, through
from export_pipeline_tests.storage.conformance import keys, put, read


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
