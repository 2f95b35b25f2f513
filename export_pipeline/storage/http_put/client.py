"""Requests to one web server: repeated where that helps, with errors in words."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Protocol
from urllib.parse import quote

import aiohttp

from export_pipeline.storage.http import Answer, Http, whole
from export_pipeline.storage.http_put.words import explain
from export_pipeline.storage.retries import Retries

SUCCESSES = {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, HTTPStatus.PARTIAL_CONTENT}
_FRESH = {"accept-encoding": "identity", "cache-control": "no-cache"}
"""What is asked for is the object as it is now, not what a cache on the way remembers of it."""


class Body(Protocol):
    """Bytes that can be sent again: how many, and each from the first."""

    @property
    def size(self) -> int:
        """In bytes."""

    def __iter__(self) -> Iterator[bytes | memoryview]: ...


class HttpPutClient:
    """Requests for what lies below one URL.

    Args:
        url: without a slash at the end.
        headers: of every request, with what lets us in; names in lower case.
        http: sends.
        now: seconds since the epoch.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        http: Http,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._headers = headers
        self._http = http
        self._now = now
        self.retries = Retries(sleep)

    def address(self, name: str) -> str:
        """Return the URL of an object."""
        return f"{self._url}/{quote(name, safe='/')}"

    async def call(
        self,
        verb: str,
        name: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Call until it succeeds or an error will not go away.

        Raises:
            MaybeOurs: 412, and not to the first try.
            StoreError: see `words.explain`.
        """
        return await self.retries.call(lambda: self.call_once(verb, name, headers, body))

    async def call_once(
        self,
        verb: str,
        name: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Call a single time.

        Raises:
            StoreUnavailable: whether it was done is not known.
            StoreError: see `words.explain`.
        """
        url = self.address(name)
        sent = {**self._headers, **(headers or {})}
        if body is None:
            sent |= _FRESH
        else:
            sent["content-length"] = str(body.size)
        answer = await self._http.send(verb, url, sent, body)
        if answer.status in SUCCESSES:
            return answer
        raise explain(answer, verb, url, self._now())

    @asynccontextmanager
    async def reading(self, name: str, offset: int) -> AsyncIterator[aiohttp.ClientResponse]:
        """Begin to read an object at byte `offset`; 416 is the caller's to judge.

        Raises:
            StoreError: see `words.explain`.
        """
        url = self.address(name)
        begin = {"range": f"bytes={offset}-"} if offset else {}
        async with self._http.answering("GET", url, {**self._headers, **_FRESH, **begin}) as found:
            if found.status not in {*SUCCESSES, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}:
                raise explain(await whole(found), "GET", url, self._now())
            yield found
