"""The store on S3, Amazon's or compatible: create-only writes, checked, straight from vendors."""

import base64
import math
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from urllib.parse import unquote_plus

from export_pipeline.errors import ConfigError, NotFound, StoreError
from export_pipeline.storage.keys import require_key, require_prefix
from export_pipeline.storage.parts import parted
from export_pipeline.storage.s3 import multipart, versions
from export_pipeline.storage.s3.client import S3Client
from export_pipeline.storage.s3.credentials import Chain, Fixed
from export_pipeline.storage.s3.lock import lock_headers
from export_pipeline.storage.s3.objects import Headers, Objects
from export_pipeline.storage.s3.options import LENT_OWN, S3Options
from export_pipeline.storage.s3.reading import read
from export_pipeline.storage.s3.signing import MAX_URL_SECONDS, Signer
from export_pipeline.storage.store import Capabilities, StoredObject, StoredVersion, UploadTarget
from export_pipeline.storage.xml import parse, text

CHECKSUMS = ("sha256", "crc64nvme", "crc32c", "crc32", "sha1")
"""The checksums that S3 may keep of an object, ours first."""
_TYPE = "content-type"
_SHORTER_ORDERS = "lower EXPORT_ORDER_DEADLINE"
_SHORTER_LINKS = "ask for less time"


class S3Store:
    """Objects below a prefix of a bucket.

    What we write is one PUT, or parts of `PART_BYTES` that become visible together; the store
    checks the sha256 of each, or it is read back. Both are create-only (`If-None-Match: *`); where
    the options say that the store does not heed that, it is not asked to, and looked at first.

    Args:
        prefix: "", or a folder that ends in "/".
        options: what every object gets, and CloudConvert's own key.
        client: calls on the bucket.
        credentials: sign URLs.
        signer: of the bucket's region.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        prefix: str,
        options: S3Options,
        client: S3Client,
        credentials: Chain | Fixed,
        signer: Signer,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._prefix = prefix
        self._options = options
        self._client = client
        self._credentials = credentials
        self._signer = signer
        self._now = now
        self._objects = Objects(client, create_only=options.create_only)
        self.url = f"s3://{client.place.bucket}/{prefix}".rstrip("/")

    @property
    def capabilities(self) -> Capabilities:
        """It signs unless a session token's end is unknown, which a signed URL would share."""
        signs = self._credentials.signs
        create_only = self._options.create_only
        return Capabilities(
            create_only=create_only,
            signs_uploads=signs and self._lets_others_write,
            signs_downloads=signs,
            lists=True,
            checksums=True,
            part_bytes=multipart.PART_BYTES,
        )

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        """See `Store.put`; holds at most `PARTS_IN_FLIGHT` parts and one more in memory."""
        name = self._name(key)
        headers = self._headers(key, content_type)
        async with parted(chunks, multipart.PART_BYTES) as (whole, parts):
            if whole is not None:
                found = await self._objects.put(name, whole, headers)
            else:
                found = await self._objects.put_parts(name, parts, headers)
        return _described(key, found)

    async def stat(self, key: str) -> StoredObject | None:
        """See `Store.stat`."""
        found = await self._objects.head(self._name(key))
        return _described(key, found) if found is not None else None

    async def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        """See `Store.open`; goes on by itself after a cut, as long as the object is the same."""
        name = self._name(key)
        try:
            async with aclosing(read(self._client, name, offset)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except NotFound:
            await self._objects.require_bucket(name)
            raise NotFound(f"there is no {key!r} in {self.url}") from None

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """See `Store.list`; a page of 1,000 in memory. A listing has no checksums."""
        query = {
            "list-type": "2",
            "prefix": self._prefix + require_prefix(prefix),
            "encoding-type": "url",
        }
        token = ""
        while True:
            more = {"continuation-token": token} if token else {}
            answer = await self._client.call(
                "ListObjectsV2", "GET", "", query=dict(sorted((query | more).items()))
            )
            page = parse(answer.body)
            if page is None:
                raise StoreError(f"{self.url}: the list that it gives cannot be read")
            for found in page.iterfind("{*}Contents"):
                name = unquote_plus(text(found, "Key"))
                # Some tools leave objects of no bytes to stand for folders.
                if not name.endswith("/"):
                    yield StoredObject(name.removeprefix(self._prefix), int(text(found, "Size")))
            token = text(page, "NextContinuationToken")
            if not token:
                return

    async def copy(self, source: str, target: str) -> StoredObject:
        """See `Store.copy`."""
        origin, name = self._name(source), self._name(target)
        found = await self._objects.head(origin)
        if found is None:
            raise NotFound(f"there is no {source!r} in {self.url} to copy to {target!r}")
        headers = self._headers(target, found.get(_TYPE))
        return _described(target, await self._objects.copy(origin, found, name, headers))

    async def delete(self, key: str) -> None:
        """See `Store.delete`."""
        await self._objects.delete(self._name(key))

    def sign_upload(self, key: str, *, seconds: float, typed: bool = True) -> UploadTarget | None:
        """See `Store.sign_upload`; what is set for every object is signed and handed out.

        A content type is signed only if EXPORT_S3_CONTENT_TYPE is set, and not for those that may
        send their own: S3 takes any that is not signed. None where the store does not enforce
        create-only, or is to lock: it takes a locked object only with a checksum of its bytes (S3
        API, "PutObject"), which a vendor does not send.

        Raises:
            StoreError: no URL can live so long.
        """
        if not self._lets_others_write:
            return None
        headers = {**self._options.headers(), **multipart.CREATE_ONLY}
        bound = {name: value for name, value in headers.items() if typed or name != _TYPE}
        url = self._signed("PUT", self._name(key), bound, seconds, _SHORTER_ORDERS)
        return UploadTarget("PUT", url, tuple(sorted(headers.items()))) if url else None

    def sign_download(self, key: str, *, seconds: float) -> str | None:
        """See `Store.sign_download`.

        Raises:
            StoreError: no URL can live so long.
        """
        return self._signed("GET", self._name(key), {}, seconds, _SHORTER_LINKS)

    def cloudconvert(self, key: str) -> tuple[str, Mapping[str, object]] | None:
        """`export/s3` with the credentials set for CloudConvert; None if there are none.

        Raises:
            ConfigError: they are the archive's own, wherever those were found.
            AccessDenied: the archive has none.
        """
        arguments = self._options.cloudconvert(self._client.place.bucket, self._name(key))
        if arguments and arguments["access_key_id"] == self._credentials.keys().access_key_id:
            raise ConfigError(LENT_OWN)
        return ("export/s3", arguments) if arguments else None

    async def versions(self, key: str) -> AsyncIterator[StoredVersion]:
        """See `Store.versions`; looks at each for what keeps it."""
        async for found in versions.looked_at(self._client, self._erasable(key), self._now()):
            yield StoredVersion(found.name.removeprefix(self._prefix), found.size, found.lock)

    async def erase(self, key: str) -> int:
        """See `Store.erase`; takes uploads in parts along that nobody ended."""
        name = self._erasable(key)
        async for upload in multipart.unfinished(self._client, name):
            await multipart.abort(self._client, upload.key, upload.id)
        return await versions.erase(self._client, name)

    async def sweep(self, older_than_seconds: float, now: float) -> int:
        """Abort uploads in parts that crashed writers left; return how many.

        Args:
            older_than_seconds: time since an upload began, to spare running ones.
            now: seconds since the epoch.
        """
        removed = 0
        async for upload in multipart.unfinished(self._client, self._prefix):
            if upload.begun_at < now - older_than_seconds:
                await multipart.abort(self._client, upload.key, upload.id)
                removed += 1
        return removed

    def _name(self, key: str) -> str:
        return self._prefix + require_key(key)

    def _erasable(self, key: str) -> str:
        return self._prefix + require_prefix(key) if key.endswith("/") else self._name(key)

    def _headers(self, key: str, content_type: str | None) -> dict[str, str]:
        locked = lock_headers(self._options, key, self._now())
        return {**self._options.headers(content_type), **locked}

    @property
    def _lets_others_write(self) -> bool:
        return self._options.create_only and not self._options.object_lock_mode

    def _signed(
        self, verb: str, name: str, headers: Mapping[str, str], seconds: float, advice: str
    ) -> str | None:
        if seconds > MAX_URL_SECONDS:
            raise StoreError(
                f"{self.url}: no signed URL lives {seconds:g} seconds: S3's limit is"
                f" {MAX_URL_SECONDS}; {advice}"
            )
        outlasts = self._credentials.outlast(seconds)
        if outlasts is None:
            return None
        if not outlasts:
            raise StoreError(
                f"{self.url}: the credentials end before a URL of {seconds:g} seconds would:"
                f" {advice}, or use credentials that live longer"
            )
        url = self._client.address(name)
        return self._signer.url(
            self._credentials.keys(), verb, url, headers, max(1, math.ceil(seconds))
        )


def _described(key: str, headers: Headers) -> StoredObject:
    return StoredObject(key, int(headers["content-length"]), _checksum(headers))


def _checksum(headers: Headers) -> str | None:
    for name in CHECKSUMS:
        if value := headers.get(f"x-amz-checksum-{name}"):
            return f"{name}:{_hexadecimal(value)}"
    etag = headers.get("etag", "").strip('"')
    return f"etag:{etag}" if etag else None


def _hexadecimal(checksum: str) -> str:
    """Turn S3's base64 into hexadecimal; a checksum of parts keeps its `-<how many>`."""
    digest, dash, parts = checksum.partition("-")
    return base64.b64decode(digest).hex() + dash + parts
