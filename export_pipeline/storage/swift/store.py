"""The store on OpenStack Swift: create-only writes, checked, straight from vendors."""

import asyncio
import math
import secrets
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
)
from contextlib import aclosing, suppress
from urllib.parse import quote
from weakref import WeakValueDictionary

from export_pipeline.errors import AlreadyExists, NotFound, StoreError, StoreUnavailable
from export_pipeline.storage.http import is_overheard
from export_pipeline.storage.keys import require_key, require_prefix
from export_pipeline.storage.parts import Part, make_part, md5_of, parted
from export_pipeline.storage.retries import MaybeOurs
from export_pipeline.storage.store import Capabilities, StoredObject, UploadTarget
from export_pipeline.storage.swift import segments
from export_pipeline.storage.swift.client import SwiftClient
from export_pipeline.storage.swift.listing import entries
from export_pipeline.storage.swift.options import SwiftOptions
from export_pipeline.storage.swift.reading import read
from export_pipeline.storage.swift.segments import (
    FOLDER,
    WRITER,
    Manifest,
    Upload,
    bare_etag,
)
from export_pipeline.storage.swift.tempurl import TempUrls
from export_pipeline.storage.versions import Versionless

CREATE_ONLY = {"if-none-match": "*"}
_LARGE = ("x-static-large-object", "x-object-manifest")
"""The headers of an object that is made of others: its etag is not the MD5 of its bytes."""

_TOKEN_BYTES = 8
_OVERHEARD = (
    "THE PASSWORD GOES OVER PLAIN HTTP (EXPORT_SWIFT_AUTH_URL): whoever stands between can take it,"
    " read the archive and write to it; write https://"
)


def _token() -> str:
    return secrets.token_hex(_TOKEN_BYTES)


class SwiftStore(Versionless):
    """Objects below a prefix of a container.

    What we write is one PUT, or segments that become visible together; Swift compares the MD5 of
    each. Both are create-only (`If-None-Match: *`). But Swift looks for an object when a PUT begins
    and not when it ends: of two at once both are let through, and the one that began later stays.
    So the writers of one process take turns, and each looks whether what stayed is its own. Of two
    processes, one may still replace what the other began to write in the same moment.

    Args:
        prefix: "", or a folder that ends in "/".
        options: CloudConvert's own user.
        client: calls on the container.
        tempurls: signs; None without a key.
        now: seconds since the epoch.
        token: gives a new name for one writer's segments.
    """

    def __init__(
        self,
        prefix: str,
        options: SwiftOptions,
        client: SwiftClient,
        tempurls: TempUrls | None,
        now: Callable[[], float],
        token: Callable[[], str] = _token,
    ) -> None:
        self._prefix = prefix
        self._options = options
        self._client = client
        self._tempurls = tempurls
        self._now = now
        self._token = token
        self._container_exists = False
        self._turns: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = (
            WeakValueDictionary()
        )
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
        self._name(key)
        async with parted(chunks, segments.SEGMENT_BYTES) as (whole, parts):
            if whole is not None:
                return await self._put_whole(key, whole, content_type)
            token = self._token()
            async with segments.begun(self._client, self._folder(key, token)) as folder:
                sent = await segments.send_all(self._client, folder, parts)
                manifest = await segments.make_manifest(self._client, folder, sent)
            return await self._put_large(key, token, manifest, content_type)

    async def stat(self, key: str) -> StoredObject | None:
        """See `Store.stat`; of an object in segments the checksum is the MD5 of their MD5s."""
        found = await self._head(self._name(key))
        return _described(key, found) if found is not None else None

    async def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        """See `Store.open`; goes on by itself after a cut, as long as the object is the same."""
        name = self._name(key)
        try:
            async with aclosing(read(self._client, name, offset)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except NotFound:
            await self._require_container()
            raise NotFound(f"there is no {key!r} in {self.url}") from None

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """See `Store.list`; a busy cluster may list an object some seconds after it is there."""
        hidden = self._prefix + FOLDER
        async for found in entries(self._client, self._prefix + require_prefix(prefix)):
            # Some tools leave objects of no bytes to stand for folders.
            if not found.name.startswith(hidden) and not found.name.endswith("/"):
                yield StoredObject(found.name.removeprefix(self._prefix), found.size)

    async def copy(self, source: str, target: str) -> StoredObject:
        """See `Store.copy`; in segments, since only what is put is create-only in Swift."""
        origin = self._name(source)
        self._name(target)
        found = await self._head(origin)
        if found is None:
            raise NotFound(f"there is no {source!r} in {self.url} to copy to {target!r}")
        size, content_type = int(found["content-length"]), found.get("content-type")
        if not size:
            return await self._put_whole(target, await make_part([]), content_type)
        token = self._token()
        async with segments.begun(self._client, self._folder(target, token)) as folder:
            copied = await segments.copy_all(
                self._client, origin, folder, size=size, etag=bare_etag(found)
            )
            manifest = await segments.make_manifest(self._client, folder, copied)
        return await self._put_large(target, token, manifest, content_type)

    async def delete(self, key: str) -> None:
        """See `Store.delete`; takes the segments that we wrote with it."""
        name = self._name(key)
        found = await self._head(name)
        if found is None:
            return
        with suppress(NotFound):
            await self._client.call("DELETE", name)
        if token := found.get(WRITER):
            await segments.remove(self._client, self._folder(key, token))

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
        arguments = self._options.cloudconvert(self._client.container, self._name(key))
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
                await segments.remove(self._client, self._folder(upload.key, upload.token))
                removed += 1
        return removed

    def _name(self, key: str) -> str:
        if require_key(key).startswith(FOLDER):
            raise StoreError(f"{key!r} is not a key: {FOLDER} holds parts of large objects")
        return self._prefix + key

    def _folder(self, key: str, token: str) -> str:
        return f"{self._prefix}{FOLDER}{key}/{token}/"

    def _signed(self, verb: str, key: str, seconds: float) -> str | None:
        name = self._name(key)
        if self._tempurls is None:
            return None
        ends = math.ceil(self._now() + seconds)
        return self._tempurls.sign(verb, self._client.container, name, ends)

    async def _put_whole(self, key: str, part: Part, content_type: str | None) -> StoredObject:
        etag = (await md5_of(part)).hex()
        headers = {**CREATE_ONLY, **_typed(content_type), "etag": etag}
        name = self._name(key)
        return await self._published(
            key, etag, lambda: self._client.call("PUT", name, headers=headers, body=part)
        )

    async def _put_large(
        self, key: str, token: str, manifest: Manifest, content_type: str | None
    ) -> StoredObject:
        headers = {**CREATE_ONLY, **_typed(content_type), WRITER: token}
        name = self._name(key)
        try:
            return await self._published(
                key,
                manifest.etag,
                lambda: segments.put_manifest(self._client, name, manifest, headers),
            )
        except AlreadyExists:
            # After any other error the object may be there all the same; then they are its own.
            await segments.remove(self._client, self._folder(key, token))
            raise

    async def _published(
        self, key: str, etag: str, write: Callable[[], Awaitable[object]]
    ) -> StoredObject:
        """Make an object visible, and see that it is the one that is there.

        Raises:
            AlreadyExists: another was there, or came at the same time.
        """
        name = self._name(key)
        async with self._turns.setdefault((asyncio.get_running_loop(), name), asyncio.Lock()):
            with suppress(MaybeOurs):
                await write()
            found = await self._head(name, {"x-newest": "true"})
        if found is None:
            raise StoreUnavailable(f"{self.url}: {key!r} was written and is not there")
        if bare_etag(found) != etag:
            raise AlreadyExists(f"{key!r} is in {self.url} already; it was left as it is")
        return _described(key, found)

    async def _is_used(self, upload: Upload) -> bool:
        name = self._prefix + upload.key
        found = await self._head(name)
        if found is not None:
            return found.get(WRITER) == upload.token
        # A list still has what is out of reach for a while, while some of Swift's servers are down.
        async with aclosing(entries(self._client, name)) as listed:
            first = await anext(listed, None)
        return first is not None and first.name == name

    async def _head(
        self, name: str, headers: Mapping[str, str] | None = None
    ) -> Mapping[str, str] | None:
        try:
            answer = await self._client.call("HEAD", name, headers=headers)
        except NotFound:
            await self._require_container()
            return None
        self._container_exists = True
        return answer.headers

    async def _require_container(self) -> None:
        """Tell a missing container from a missing object, which Swift's answers do not, once."""
        if not self._container_exists:
            await self._client.call("HEAD", "")
            self._container_exists = True


def _typed(content_type: str | None) -> dict[str, str]:
    return {"content-type": content_type} if content_type else {}


def _described(key: str, headers: Mapping[str, str]) -> StoredObject:
    algorithm = "md5-of-md5s" if any(name in headers for name in _LARGE) else "md5"
    checksum = f"{algorithm}:{bare_etag(headers)}"
    return StoredObject(key, int(headers["content-length"]), checksum)
