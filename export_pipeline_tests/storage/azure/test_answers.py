"""Each answer that no other try mends, in words after the first; and what only Azure has."""

import asyncio

import pytest

from export_pipeline.errors import (
    AccessDenied,
    AlreadyExists,
    NotFound,
    StoreError,
    StoreFull,
)
from export_pipeline_tests.servers.faults import Gate
from export_pipeline_tests.storage.azure.faults import AzureUpstream
from export_pipeline_tests.storage.conformance import keys, put, read


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
    upstream: AzureUpstream,
    gate: Gate,
    status: int,
    headers: dict[str, str],
    code: str,
    error: type[StoreError],
    words: str,
) -> None:
    store = upstream.store(gate.url)
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
        gate.answers, gate.requests = [answer], []
        with pytest.raises(error, match=words) as told:
            asyncio.run(call())
        assert not told.value.transient
        assert not isinstance(told.value, NotFound)
        assert len(gate.requests) == 1


def test_what_a_policy_keeps_is_told(upstream: AzureUpstream, gate: Gate) -> None:
    store = upstream.store(gate.url)
    asyncio.run(put(store, "a"))
    kept = (409, {"x-ms-error-code": "BlobImmutableDueToPolicy"}, b"")
    gate.answers = [kept]
    with pytest.raises(AccessDenied, match=r"DeleteBlob of 'p/a'.*an immutability policy keeps it"):
        asyncio.run(store.delete("a"))
    gate.answers = [kept]
    with pytest.raises(AlreadyExists, match="'p/a'"):
        asyncio.run(put(store, "a", b"other"))


def test_folders_of_a_hierarchical_account_are_no_objects(
    upstream: AzureUpstream, gate: Gate
) -> None:
    """Such accounts list their folders and describe them: Azurite has none, so the gate says so."""
    store = upstream.store(gate.url)
    folder = {"x-ms-resource-type": "directory", "content-length": "0"}
    gate.answers = [(200, folder, b"")]
    assert asyncio.run(store.stat("folder")) is None
    gate.answers = [(200, folder, b"")]
    with pytest.raises(NotFound, match="'folder'"):
        asyncio.run(read(store, "folder"))
    listed = (
        "<EnumerationResults><Blobs><Blob><Name>p/folder</Name><Properties><ResourceType>directory"
        "</ResourceType><Content-Length>0</Content-Length></Properties></Blob><Blob>"
        "<Name>p/folder/a</Name><Properties><ResourceType>file</ResourceType>"
        "<Content-Length>3</Content-Length></Properties></Blob></Blobs></EnumerationResults>"
    )
    gate.answers = [(200, {}, listed.encode())]
    assert asyncio.run(keys(store)) == ["folder/a"]


def test_a_list_that_is_no_list_is_told(upstream: AzureUpstream, gate: Gate) -> None:
    gate.answers = [(200, {}, b"<html>")]
    with pytest.raises(StoreError, match="cannot be read"):
        asyncio.run(keys(upstream.store(gate.url)))
