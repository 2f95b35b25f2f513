"""Calls of the JSON API: with a token, repeated where that helps, with errors in words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from urllib.parse import quote, urlencode

import aiohttp

from export_pipeline.errors import NotFound
from export_pipeline.storage.gcs.account import Account
from export_pipeline.storage.gcs.resource import FIELDS, Resource, read_resource
from export_pipeline.storage.gcs.signing import encode_path
from export_pipeline.storage.gcs.words import explain, parse
from export_pipeline.storage.http import Answer, Http, whole
from export_pipeline.storage.retries import Retries

GOOGLE = "https://storage.googleapis.com"
SUCCESSES = {200, 201, 204, 206}
CREATE_ONLY = {"ifGenerationMatch": "0"}


class GcsClient:
    """Calls on one bucket.

    Args:
        bucket: its name.
        endpoint: the service's address, without a slash at the end.
        account: whose tokens are sent.
        http: sends.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        bucket: str,
        endpoint: str,
        account: Account,
        http: Http,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.bucket = bucket
        self.endpoint = endpoint
        self._place = f"bucket {bucket!r} at {endpoint}"
        self._account = account
        self._http = http
        self.retries = Retries(sleep)
        self._bucket_exists = False

    def address(self, name: str) -> str:
        """Return the URL of an object in the XML API, for others to use with a signature."""
        return f"{self.endpoint}/{self.bucket}/{encode_path(name)}"

    async def call(
        self,
        action: str,
        verb: str,
        path: str,
        name: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes | memoryview] | None = None,
    ) -> Answer:
        """Call until it succeeds or an error will not go away.

        Args:
            path: below the endpoint, see `object_path`.
            name: of the object, for the error's words.
            headers: with a body, `content-length` too.

        Raises:
            MaybeOurs: 412, and not to the first try.
            StoreError: see `words.explain`.
        """
        url = f"{self.endpoint}{path}" + (f"?{_encode(query)}" if query else "")

        async def attempt() -> Answer:
            sent = {**await self._token(), **(headers or {})}
            return await self.once(action, verb, url, name, headers=sent, body=body)

        return await self.retries.call(attempt)

    async def once(
        self,
        action: str,
        verb: str,
        url: str,
        name: str,
        *,
        headers: Mapping[str, str],
        body: Iterable[bytes | memoryview] | None = None,
        others: frozenset[int] = frozenset(),
    ) -> Answer:
        """Send one request as it is.

        Args:
            others: statuses that are no errors either.

        Raises:
            StoreError: see `words.explain`.
        """
        answer = await self._http.send(verb, url, headers, body)
        if answer.status in SUCCESSES | others:
            return answer
        raise explain(answer, self._place, action, name)

    async def find(self, name: str) -> Resource | None:
        """Describe an object; None if there is none, which only a bucket that exists can say."""
        try:
            path, query = self.object_path(name), {"fields": FIELDS}
            answer = await self.call("objects.get", "GET", path, name, query=query)
        except NotFound:
            await self.require_bucket(name)
            return None
        return read_resource(parse(answer.body), name)

    async def delete(self, name: str, generation: str | None = None) -> None:
        """Remove an object, or only this generation of it; absent already is fine."""
        query = {"ifGenerationMatch": generation} if generation else None
        try:
            await self.call("objects.delete", "DELETE", self.object_path(name), name, query=query)
        except NotFound:
            await self.require_bucket(name)

    async def erase(self, name: str, generation: str) -> None:
        """Remove one generation for good, noncurrent or not; absent already is fine."""
        with suppress(NotFound):
            path, query = self.object_path(name), {"generation": generation}
            await self.call("objects.delete", "DELETE", path, name, query=query)

    @asynccontextmanager
    async def reading(
        self, name: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Begin to read an object; 416 is the caller's to judge.

        Raises:
            StoreError: see `words.explain`.
        """
        url = f"{self.endpoint}{self.object_path(name)}?{_encode({'alt': 'media', **query})}"
        sent = {**await self._token(), **headers}
        async with self._http.answering("GET", url, sent) as response:
            if response.status not in SUCCESSES | {HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}:
                raise explain(await whole(response), self._place, "objects.get", name)
            yield response

    async def require_bucket(self, name: str) -> None:
        """Tell a missing bucket from a missing object, once.

        Raises:
            StoreError: there is no bucket.
        """
        if not self._bucket_exists:
            query = {"maxResults": "1", "prefix": name, "fields": "kind"}
            await self.call("objects.list", "GET", self.object_path(), name, query=query)
            self._bucket_exists = True

    def object_path(self, name: str | None = None) -> str:
        """Return the path of an object in the JSON API, or of all of them."""
        return f"/storage/v1/{self._below(name)}"

    def copy_path(self, source: str, target: str) -> str:
        """Return the path by which the store copies an object."""
        return f"{self.object_path(source)}/rewriteTo/{self._below(target)}"

    def upload_path(self) -> str:
        """Return the path to which new objects are sent."""
        return f"/upload/storage/v1/b/{self.bucket}/o"

    def _below(self, name: str | None) -> str:
        return f"b/{self.bucket}/o" + (f"/{quote(name, safe='')}" if name else "")

    async def _token(self) -> dict[str, str]:
        if self._account.is_at_hand:
            return self._account.headers()
        return await asyncio.to_thread(self._account.headers)


def _encode(query: Mapping[str, str]) -> str:
    return urlencode(query, quote_via=quote)
