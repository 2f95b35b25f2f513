"""Calls on a Swift container: with a token, repeated where that helps, with errors in words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import quote, urlencode

import aiohttp

from export_pipeline.storage.http import Answer, Http, whole
from export_pipeline.storage.parts import Part
from export_pipeline.storage.retries import Retries
from export_pipeline.storage.swift.keystone import Keystone, Login
from export_pipeline.storage.swift.words import explain

SUCCESSES = {200, 201, 202, 204, 206, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}
"""With 416, which only who reads can be answered, and who knows what it means."""


class SwiftClient:
    """Calls on one container.

    Args:
        container: its name.
        keystone: gives tokens.
        http: sends.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        container: str,
        keystone: Keystone,
        http: Http,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.container = container
        self._keystone = keystone
        self._http = http
        self.retries = Retries(sleep)

    async def call(
        self,
        verb: str,
        name: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Part | None = None,
    ) -> Answer:
        """Call until it succeeds or an error will not go away.

        Args:
            verb: the HTTP method.
            name: of the object, "" for the container.

        Raises:
            MaybeOurs: 412, and not to the first try.
            StoreError: see `words.explain`, and `words.explain_login`.
        """

        async def attempt() -> Answer:
            async with self._answering(verb, name, query, headers or {}, body) as response:
                return await whole(response)

        return await self.retries.call(attempt)

    @asynccontextmanager
    async def reading(
        self, name: str, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Begin to read an object; 416 is the caller's to judge.

        Raises:
            StoreError: see `call`.
        """
        async with self._answering("GET", name, None, headers, None) as response:
            yield response

    @asynccontextmanager
    async def _answering(
        self,
        verb: str,
        name: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: Part | None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        length = {"content-length": str(body.size if body else 0)} if verb == "PUT" else {}
        refused: Login | None = None
        while True:
            login = await self._keystone.login(refused)
            sent = {**headers, **length, "x-auth-token": login.token}
            url = address(login.url, self.container, name, query)
            async with self._http.answering(verb, url, sent, body) as response:
                if response.status in SUCCESSES:
                    yield response
                    return
                if response.status != HTTPStatus.UNAUTHORIZED or refused is not None:
                    place = f"container {self.container!r} at {login.url}"
                    action = _action(verb, name, headers)
                    raise explain(await whole(response), place, action, name)
            refused = login


def _action(verb: str, name: str, headers: Mapping[str, str]) -> str:
    """Name what was asked, see `words.explain`."""
    if not name:
        return "LIST"
    return "COPY" if "x-copy-from" in headers else verb


def address(
    account: str, container: str, name: str = "", query: Mapping[str, str] | None = None
) -> str:
    """Return the URL of an object, or without a name of the container.

    Args:
        account: the account's URL.
    """
    path = [account, quote(container, safe=""), *([quote(name)] if name else [])]
    return "/".join(path) + (f"?{urlencode(query, quote_via=quote)}" if query else "")
