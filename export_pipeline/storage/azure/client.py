"""Calls of Azure's blob service: authorised, repeated where that helps, with errors in words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate

import aiohttp

from export_pipeline.errors import NotFound, StoreError
from export_pipeline.storage.azure.credentials import Credentials
from export_pipeline.storage.azure.place import Place
from export_pipeline.storage.azure.signing import VERSION, sas
from export_pipeline.storage.azure.words import explain
from export_pipeline.storage.http import Answer, Http, whole
from export_pipeline.storage.parts import Part
from export_pipeline.storage.retries import Retries

COPY_URL_SECONDS = 3_600.0
"""Life of the URL by which the service itself reads what it copies."""
SUCCESSES = {200, 201, 202, 206}
_NOT_SATISFIABLE = 416
_WITH_BODY = {"POST", "PUT"}


class AzureClient:
    """Calls on one container.

    Args:
        place: the container.
        credentials: authorise the calls.
        http: sends.
        now: seconds since the epoch.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        place: Place,
        credentials: Credentials,
        http: Http,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.place = place
        self.credentials = credentials
        self._http = http
        self._now = now
        self.retries = Retries(sleep)

    async def call(
        self,
        action: str,
        verb: str,
        name: str,
        *,
        query: dict[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Part | None = None,
    ) -> Answer:
        """Call until it succeeds or an error will not go away.

        Raises:
            MaybeOurs: there is a blob, and not at the first try.
            StoreError: see `words.explain`.
        """
        return await self.retries.call(
            lambda: self._once(action, verb, name, query, headers or {}, body)
        )

    @asynccontextmanager
    async def reading(
        self, name: str, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Begin to read a blob; 416 is the caller's to judge.

        Raises:
            NotFound: it is a folder, which hierarchical accounts answer like a blob.
            StoreError: see `words.explain`.
        """
        url, sent = await self._authorized("GET", self.place.address(name), headers)
        async with self._http.answering("GET", url, sent) as response:
            if response.status not in SUCCESSES and response.status != _NOT_SATISFIABLE:
                raise self._explained(await whole(response), "GetBlob", name)
            if response.headers.get("x-ms-resource-type") == "directory":
                raise NotFound(f"{self.place.named(name)} is a folder")
            yield response

    async def readable(self, name: str) -> str:
        """Return a URL by which the service itself may read a blob; it carries authority."""
        url = self.place.address(name)
        key = await self.credentials.key(COPY_URL_SECONDS)
        if key is not None:
            return f"{url}?{sas(self.place, name, 'r', self._now() + COPY_URL_SECONDS, key)}"
        authorized, _ = await self.credentials.authorized("GET", url, {})
        return authorized

    async def _once(
        self,
        action: str,
        verb: str,
        name: str,
        query: dict[str, str] | None,
        headers: Mapping[str, str],
        body: Part | None,
    ) -> Answer:
        length = {"content-length": str(body.size if body else 0)} if verb in _WITH_BODY else {}
        address = self.place.address(name, query)
        url, sent = await self._authorized(verb, address, {**headers, **length})
        answer = await self._http.send(verb, url, sent, body)
        if answer.status in SUCCESSES:
            return answer
        raise self._explained(answer, action, name)

    async def _authorized(
        self, verb: str, url: str, headers: Mapping[str, str]
    ) -> tuple[str, Mapping[str, str]]:
        dated = {"x-ms-date": formatdate(self._now(), usegmt=True), "x-ms-version": VERSION}
        return await self.credentials.authorized(verb, url, {**headers, **dated})

    def _explained(self, answer: Answer, action: str, name: str) -> StoreError:
        return explain(answer, self.place, self.credentials, action, name, self._now())
