"""The store on OpenStack Swift: create-only writes, checked, straight from vendors."""

import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from urllib.parse import quote

from export_pipeline.errors import NotFound
from export_pipeline.storage.http import is_overheard
from export_pipeline.storage.keys import require_prefix
from export_pipeline.storage.parts import parted
from export_pipeline.storage.store import Capabilities, StoredObject, UploadTarget
from export_pipeline.storage.swift import segments
from export_pipeline.storage.swift.client import SwiftClient
from export_pipeline.storage.swift.listing import entries
from export_pipeline.storage.swift.objects import CREATE_ONLY, Headers, Objects
from export_pipeline.storage.swift.options import SwiftOptions
from export_pipeline.storage.swift.reading import read
from export_pipeline.storage.swift.segments import FOLDER, WRITER, Upload, bare_etag
from export_pipeline.storage.swift.tempurl import TempUrls
from export_pipeline.storage.versions import Versionless

_LARGE = ("x-static-large-object", "x-object-manifest")
"""The headers of an object that is made of others: its etag is not the MD5 of its bytes."""
_OVERHEARD = (
    "THE PASSWORD GOES OVER PLAIN HTTP (EXPORT_SWIFT_AUTH_URL): whoever stands between can take it,"
    " read the archive and write to it; write https://"
)


class SwiftStore(Versionless):
    """Objects below a prefix of a container.

    What we write is one PUT, or segments that become visible together; Swift compares the MD5 of
    each. Both are create-only (`If-None-Match: *`), as far as `Objects` says.

    Args:
        prefix: "", or a folder that ends in "/".
        options: CloudConvert's own user.
        client: calls on the container.
        tempurls: signs; None without a key.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        prefix: str,
        options: SwiftOptions,
        client: SwiftClient,
        tempurls: TempUrls | None,
        now: Callable[[], float],
    ) -> None:
        self._prefix = prefix
        self._options = options
        self._client = client
        self._tempurls = tempurls
        self._now = now
        self._objects = Objects(prefix, client)
        self.url = f"swift://{quote(f'{client.container}/{prefix}')}".rstrip("/")

    @property
    def capabilities(self) -> Capabilities:
        """It signs if it has a TempURL key; whether Swift knows that key, `check` finds out."""
        signs = self._tempurls is not None
        return Capabilities(
            create_only=True,
            signs_uploads=signs,
            signs_downloads=signs,
            lists=True,
            checksums=True,
            cautions=(_OVERHEARD,) if is_overheard(self._options.auth_url) else (),
        )

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        """See `Store.put`; holds at most `SEGMENTS_IN_FLIGHT` segments and one more in memory."""
        self._objects.name(key)
        async with parted(chunks, segments.SEGMENT_BYTES) as (whole, parts):
            if whole is not None:
                found = await self._objects.put(key, whole, content_type)
            else:
                found = await self._objects.put_segments(key, parts, content_type)
        return _described(key, found)

    async def stat(self, key: str) -> StoredObject | None:
        """See `Store.stat`; of an object in segments the checksum is the MD5 of their MD5s."""
        found = await self._objects.head(self._objects.name(key))
        return _described(key, found) if found is not None else None

    async def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        """See `Store.open`; goes on by itself after a cut, as long as the object is the same."""
        name = self._objects.name(key)
        try:
            async with aclosing(read(self._client, name, offset)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except NotFound:
            await self._objects.require_container()
            raise NotFound(f"there is no {key!r} in {self.url}") from None

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """See `Store.list`; a busy cluster may list an object some seconds after it is there."""
        hidden = self._prefix + FOLDER
        async for found in entries(self._client, self._prefix + require_prefix(prefix)):
            # Some tools leave objects of no bytes to stand for folders.
            if not found.name.startswith(hidden) and not found.name.endswith("/"):
                yield StoredObject(found.name.removeprefix(self._prefix), found.size)

    async def copy(self, source: str, target: str) -> StoredObject:
        """See `Store.copy`."""
        self._objects.name(target)
        found = await self._objects.head(self._objects.name(source))
        if found is None:
            raise NotFound(f"there is no {source!r} in {self.url} to copy to {target!r}")
        return _described(target, await self._objects.copy(source, found, target))

    async def delete(self, key: str) -> None:
        """See `Store.delete`; takes the segments that we wrote with it."""
        await self._objects.delete(key)

    async def erase(self, key: str) -> int:
        """See `Store.erase`; takes every writer's segments along. Swift's own versions stay."""
        erased = await super().erase(key)
        folder = f"{self._prefix}{FOLDER}{key}".rstrip("/")
        await segments.remove(self._client, f"{folder}/")
        return erased

    def sign_upload(
        self,
        key: str,
        *,
        seconds: float,
        typed: bool = True,  # noqa: ARG002  none is set
    ) -> UploadTarget | None:
        """See `Store.sign_upload`; the first signature may block, see `TempUrls`.

        A TempURL binds verb, object and end, and no header: it is create-only for whoever sends the
        headers that it comes with.

        Raises:
            StoreError: see `TempUrls.sign`.
        """
        url = self._signed("PUT", key, seconds)
        return UploadTarget("PUT", url, tuple(CREATE_ONLY.items())) if url else None

    def sign_download(self, key: str, *, seconds: float) -> str | None:
        """See `Store.sign_download` and `sign_upload`.

        Raises:
            StoreError: see `TempUrls.sign`.
        """
        return self._signed("GET", key, seconds)

    def cloudconvert(self, key: str) -> tuple[str, Mapping[str, object]] | None:
        """`export/openstack` with the user set for CloudConvert; None if there is none."""
        arguments = self._options.cloudconvert(self._client.container, self._objects.name(key))
        return ("export/openstack", arguments) if arguments else None

    async def sweep(self, older_than_seconds: float, now: float) -> int:
        """Remove segments of no object, which crashed writers left; return of how many writers.

        Args:
            older_than_seconds: time since a writer's last segment came, to spare running ones.
            now: seconds since the epoch.
        """
        removed = 0
        async for upload in segments.uploads(self._client, self._prefix + FOLDER):
            if upload.written_at < now - older_than_seconds and not await self._is_used(upload):
                folder = self._objects.folder(upload.key, upload.token)
                await segments.remove(self._client, folder)
                removed += 1
        return removed

    def _signed(self, verb: str, key: str, seconds: float) -> str | None:
        name = self._objects.name(key)
        if self._tempurls is None:
            return None
        ends = math.ceil(self._now() + seconds)
        return self._tempurls.sign(verb, self._client.container, name, ends)

    async def _is_used(self, upload: Upload) -> bool:
        name = self._prefix + upload.key
        found = await self._objects.head(name)
        if found is not None:
            return found.get(WRITER) == upload.token
        # A list still has what is out of reach for a while, while some of Swift's servers are down.
        async with aclosing(entries(self._client, name)) as listed:
            first = await anext(listed, None)
        return first is not None and first.name == name


def _described(key: str, headers: Headers) -> StoredObject:
    algorithm = "md5-of-md5s" if any(name in headers for name in _LARGE) else "md5"
    checksum = f"{algorithm}:{bare_etag(headers)}"
    return StoredObject(key, int(headers["content-length"]), checksum)
