"""Tokens: one login for all calls, renewed before its end and when Swift refuses it."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import pytest

from export_pipeline.errors import AccessDenied, StoreError
from export_pipeline.storage.http import Answer, Http
from export_pipeline.storage.options import read_options
from export_pipeline.storage.swift.keystone import RENEW_SECONDS, Login, read_login
from export_pipeline.storage.swift.open import open_store
from export_pipeline.storage.swift.options import SwiftOptions
from export_pipeline.storage.swift.store import SwiftStore
from export_pipeline_tests.servers.swift import Swift
from export_pipeline_tests.storage.conformance import keys, put, read

TOKEN_SECONDS = 3_600
"""Life of the server's tokens (Keystone: `[token] expiration`)."""


class Watched(Http):
    """Counts logins, and spoils the tokens of the next requests as if they had been revoked."""

    def __init__(self) -> None:
        super().__init__()
        self.logins = 0
        self.spoiled = 0

    def answering(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes | memoryview] | None = None,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        self.logins += url.endswith("/auth/tokens")
        if "x-auth-token" in headers and self.spoiled:
            self.spoiled -= 1
            headers = {**headers, "x-auth-token": "revoked"}
        return super().answering(verb, url, headers, body)


@pytest.fixture
def http() -> Watched:
    return Watched()


def opened(swift: Swift, container: str, http: Http, now: list[float]) -> SwiftStore:
    parts = urlsplit(f"swift://{quote(container)}/p")
    return open_store(parts, swift.variables(), http=http, now=lambda: now[0])


def test_many_calls_at_once_log_in_once(swift: Swift, container: str, http: Watched) -> None:
    store = opened(swift, container, http, [time.time()])

    async def scenario() -> None:
        await asyncio.gather(*(put(store, f"{number}") for number in range(20)))

    asyncio.run(scenario())
    asyncio.run(keys(store))
    assert http.logins == 1


def test_a_token_is_renewed_before_it_ends(swift: Swift, container: str, http: Watched) -> None:
    now = [1_000_000.0]  # another clock than the server's: only the token's length counts
    store = opened(swift, container, http, now)
    asyncio.run(put(store, "a"))
    now[0] += TOKEN_SECONDS - RENEW_SECONDS - 5
    asyncio.run(put(store, "b"))
    assert http.logins == 1
    now[0] += 10
    asyncio.run(put(store, "c"))
    assert http.logins == 2


def test_a_token_that_swift_refuses_is_renewed_once(
    swift: Swift, container: str, http: Watched
) -> None:
    store = opened(swift, container, http, [time.time()])
    http.spoiled = 1
    asyncio.run(put(store, "a", b"x" * 1_000_000))
    http.spoiled = 1
    assert len(asyncio.run(read(store, "a"))) == 1_000_000
    assert http.logins == 3
    http.spoiled = 2
    refused = r"the token that Keystone gave is not accepted: HTTP 401.*request id tx"
    with pytest.raises(AccessDenied, match=refused):
        asyncio.run(put(store, "b"))
    assert http.logins == 4
    assert asyncio.run(keys(store)) == ["a"]


def test_a_login_goes_on_for_the_others_if_one_who_waits_for_it_is_cancelled(
    swift: Swift, container: str, http: Watched
) -> None:
    store = opened(swift, container, http, [time.time()])

    async def scenario() -> None:
        first, second = (asyncio.create_task(put(store, key)) for key in ("a", "b"))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert first.cancelled()

    asyncio.run(scenario())
    assert http.logins == 1
    assert asyncio.run(keys(store)) == ["b"]


def options(**changes: str) -> SwiftOptions:
    given = {"AUTH_URL": "https://auth", "USERNAME": "u", "PASSWORD": "p", **changes}
    return read_options(
        SwiftOptions, {f"EXPORT_SWIFT_{name}": text for name, text in given.items()}
    )


def endpoint(region: str, interface: str = "public") -> dict[str, str]:
    url = f"https://{region}-{interface}/v1/AUTH_1/"
    return {"interface": interface, "region": region, "region_id": f"id-{region}", "url": url}


CATALOG = [
    {"type": "identity", "endpoints": [endpoint("XX")]},
    {
        "type": "object-store",
        "endpoints": [endpoint("GRA", "internal"), endpoint("GRA"), endpoint("DE")],
    },
]


def login(catalog: list[dict[str, Any]], **changes: str) -> Login:
    moments = {"issued_at": "2026-11-22T00:00:00.0Z", "expires_at": "2026-11-22T01:00:00.0Z"}
    body = json.dumps({"token": {**moments, "catalog": catalog}}).encode()
    return read_login(Answer(201, {"x-subject-token": "a-secret"}, body), options(**changes), 0.0)


@pytest.mark.parametrize(
    ("changes", "ours", "public"),
    [
        ({}, "https://GRA-public/v1/AUTH_1", "https://GRA-public/v1/AUTH_1"),
        ({"REGION": "DE"}, "https://DE-public/v1/AUTH_1", "https://DE-public/v1/AUTH_1"),
        ({"REGION": "id-DE"}, "https://DE-public/v1/AUTH_1", "https://DE-public/v1/AUTH_1"),
        (
            {"INTERFACE": "internal"},
            "https://GRA-internal/v1/AUTH_1",
            "https://GRA-public/v1/AUTH_1",
        ),
    ],
)
def test_the_address_of_swift_is_that_of_region_and_interface_and_the_public_one_for_others(
    changes: dict[str, str], ours: str, public: str
) -> None:
    found = login(CATALOG, **changes)
    assert (found.url, found.public_url) == (ours, public)


@pytest.mark.parametrize(
    ("catalog", "changes", "words"),
    [
        (CATALOG, {"REGION": "UK"}, "in region 'UK', but in DE, GRA: set EXPORT_SWIFT_REGION"),
        (CATALOG, {"INTERFACE": "admin", "TENANT_NAME": "t"}, "check EXPORT_SWIFT_INTERFACE"),
        ([], {}, "a user without a project: set EXPORT_SWIFT_TENANT_NAME"),
        (CATALOG[:1], {"TENANT_NAME": "t"}, "no public address of Swift for project 't'"),
    ],
)
def test_a_catalog_without_that_swift_says_what_to_set(
    catalog: list[dict[str, Any]], changes: dict[str, str], words: str
) -> None:
    with pytest.raises(StoreError, match=words):
        login(catalog, **changes)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b"{}", b'{"token": {"issued_at": "x"}}', b'{"token": {"catalog": 1}}'],
)
def test_an_answer_that_is_none_of_keystones_is_told(body: bytes) -> None:
    with pytest.raises(StoreError, match=r"gives no token of Keystone v3.*EXPORT_SWIFT_AUTH_URL"):
        read_login(Answer(201, {"x-subject-token": "t"}, body), options(), 0.0)


def test_a_token_is_not_shown() -> None:
    found = login(CATALOG)
    assert found.token == "a-secret"
    assert found.ends == TOKEN_SECONDS - RENEW_SECONDS
    assert "secret" not in repr(found)
