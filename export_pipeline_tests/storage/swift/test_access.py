"""Mistakes in the settings, missing rights and a full container are told in words."""

import asyncio
from urllib.parse import quote

import pytest

from export_pipeline.errors import AccessDenied, StoreError, StoreFull, StoreUnavailable
from export_pipeline.storage.open import open_store
from export_pipeline.storage.swift.store import SwiftStore
from export_pipeline_tests.servers.keystone import READER
from export_pipeline_tests.servers.swift import Swift
from export_pipeline_tests.storage.conformance import (
    chunked,
    keys,
    put,
    require_error_of_every_method,
)
from export_pipeline_tests.storage.swift.conftest import SEGMENT_BYTES


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"EXPORT_SWIFT_PASSWORD": "wrong"}, AccessDenied, "EXPORT_SWIFT_PASSWORD"),
        ({"EXPORT_SWIFT_TENANT_NAME": "none"}, AccessDenied, "EXPORT_SWIFT_TENANT_NAME"),
        ({"EXPORT_SWIFT_TENANT_NAME": ""}, StoreError, "set EXPORT_SWIFT_TENANT_NAME"),
        ({"EXPORT_SWIFT_USER_DOMAIN": "x"}, AccessDenied, "EXPORT_SWIFT_USER_DOMAIN"),
        ({"EXPORT_SWIFT_REGION": "R2"}, StoreError, "in RegionOne: set EXPORT_SWIFT_REGION"),
        ({"EXPORT_SWIFT_INTERFACE": "admin"}, StoreError, "EXPORT_SWIFT_INTERFACE"),
        ({"EXPORT_SWIFT_AUTH_URL": "http://127.0.0.1:1"}, StoreUnavailable, "127.0.0.1:1 gave no"),
    ],
)
def test_a_mistake_in_the_settings_is_told_by_every_method(
    swift: Swift,
    container: str,
    changes: dict[str, str],
    error: type[StoreError],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("export_pipeline.storage.retries.ATTEMPTS", 1)
    store = open_store(f"swift://{quote(container)}", swift.variables() | changes)
    require_error_of_every_method(store, error, words, ("password-of",), sweeps=True)
    with pytest.raises(error, match=words):
        store.sign_upload("a", seconds=60)


def test_an_address_that_is_no_keystone_is_told(swift: Swift, container: str) -> None:
    elsewhere = {"EXPORT_SWIFT_AUTH_URL": swift.url.partition("/v1/")[0]}
    store = open_store(f"swift://{quote(container)}", swift.variables() | elsewhere)
    with pytest.raises(StoreError, match="is no Keystone v3: check EXPORT_SWIFT_AUTH_URL"):
        asyncio.run(put(store, "a"))


def test_a_missing_container_is_never_taken_for_a_missing_object(swift: Swift) -> None:
    store = open_store("swift://no-such-container/p", swift.variables())
    require_error_of_every_method(
        store,
        StoreError,
        "'no-such-container'.*no such container: make it",
        ("password-of",),
        sweeps=True,
    )


def test_who_may_only_read_is_told_what_to_grant(swift: Swift, container: str) -> None:
    store = open_store(f"swift://{quote(container)}/p", swift.variables(READER))
    granted = r"PUT of 'p/a'.*role in the project.*X-Container-Write.*request id tx"
    with pytest.raises(AccessDenied, match=granted):
        asyncio.run(put(store, "a"))
    assert asyncio.run(keys(store)) == []


def test_a_full_container_is_told(
    store: SwiftStore, swift: Swift, container: str, small_segments: bytes
) -> None:
    quota = {"X-Container-Meta-Quota-Bytes": str(SEGMENT_BYTES * 2)}
    swift.client.post(swift.address(container), headers=quota).raise_for_status()
    with pytest.raises(StoreFull, match=r"no room left.*quota"):
        asyncio.run(store.put("large", chunked(small_segments)))
    assert swift.names(container) == []
