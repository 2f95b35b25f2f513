"""Calls of the S3 API: signed, repeated where that helps, with errors in words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from export_pipeline.storage.http import Answer, Http, whole
from export_pipeline.storage.parts import Part
from export_pipeline.storage.retries import Retries
from export_pipeline.storage.s3.credentials import Chain, Fixed
from export_pipeline.storage.s3.place import Place
from export_pipeline.storage.s3.signing import (
    UNSIGNED_PAYLOAD,
    Keys,
    Signer,
    encode_path,
    encode_query,
)
from export_pipeline.storage.s3.words import explain
from export_pipeline.storage.xml import parse

SUCCESSES = {200, 204, 206}
CHECKSUM = "x-amz-checksum-sha256"
"""The header with a body's sha256 in base64, which the store compares and keeps."""
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class S3Client:
    """Calls on one bucket.

    Args:
        place: the bucket.
        credentials: where keys come from.
        signer: of the bucket's region.
        http: sends.
        sleep: waits, in seconds.
    """

    def __init__(
        self,
        place: Place,
        credentials: Chain | Fixed,
        signer: Signer,
        http: Http,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.place = place
        self._credentials = credentials
        self._signer = signer
        self._http = http
        self.retries = Retries(sleep)

    def address(self, key: str, query: Mapping[str, str] | None = None) -> str:
        """Return the URL of an object, or with `key` "" of the bucket."""
        url = f"{self.place.url}/{encode_path(key)}"
        return f"{url}?{encode_query(query)}" if query else url

    def named(self, key: str) -> str:
        """Return the name under which another call copies this object."""
        return encode_path(f"/{self.place.bucket}/{key}")

    async def call(
        self,
        action: str,
        verb: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Part | None = None,
    ) -> Answer:
        """Call until it succeeds or an error will not go away.

        Raises:
            MaybeOurs: 412, and not to the first try.
            StoreError: see `words.explain`.
        """
        return await self.retries.call(
            lambda: self._once(action, verb, key, query, headers or {}, body)
        )

    @asynccontextmanager
    async def reading(
        self, key: str, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Begin to read an object; 416 is the caller's to judge.

        Raises:
            StoreError: see `words.explain`.
        """
        url = self.address(key)
        signed = self._signer.headers(await self._keys(), "GET", url, headers, EMPTY_SHA256)
        async with self._http.answering("GET", url, signed) as response:
            if response.status not in SUCCESSES and response.status != _NOT_SATISFIABLE:
                raise explain(await whole(response), self.place, "GetObject", key)
            yield response

    async def _once(
        self,
        action: str,
        verb: str,
        key: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: Part | None,
    ) -> Answer:
        url = self.address(key, query)
        payload = _payload(headers, body)
        signed = self._signer.headers(await self._keys(), verb, url, headers, payload)
        if body:
            signed["content-length"] = str(body.size)
        answer = await self._http.send(verb, url, signed, body)
        if answer.status in SUCCESSES and not _is_error(answer):
            return answer
        raise explain(answer, self.place, action, key)

    async def _keys(self) -> Keys:
        if self._credentials.is_at_hand:
            return self._credentials.keys()
        return await asyncio.to_thread(self._credentials.keys)


_NOT_SATISFIABLE = 416


def _payload(headers: Mapping[str, str], body: Part | None) -> str:
    """Return the body's word in the signature.

    A checksum in the headers is signed as they are: the store need not hash the body twice.
    """
    if CHECKSUM in headers:
        return UNSIGNED_PAYLOAD
    return body.sha256.hex() if body else EMPTY_SHA256


def _is_error(answer: Answer) -> bool:
    # CompleteMultipartUpload and UploadPartCopy may answer 200 and fail afterwards (S3 API).
    if b"<Error>" not in answer.body:
        return False
    body = parse(answer.body)
    return body is not None and body.tag.rpartition("}")[2] == "Error"
