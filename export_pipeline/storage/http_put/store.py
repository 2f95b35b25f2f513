"""The store on a web server that takes PUT, GET, HEAD and DELETE, and need know nothing more."""

# ruff: noqa: ARG002 - the signatures are those of `Store`; a web server needs less of them.

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import aclosing

from export_pipeline.errors import AlreadyExists, NotFound, StoreError, StoreUnavailable
from export_pipeline.storage.hashing import feed
from export_pipeline.storage.http import is_overheard
from export_pipeline.storage.http_put import index
from export_pipeline.storage.http_put.client import HttpPutClient
from export_pipeline.storage.http_put.options import CREATE_ONLY, HttpPutOptions
from export_pipeline.storage.http_put.reading import read
from export_pipeline.storage.http_put.spool import Spool, spooled
from export_pipeline.storage.keys import require_key, require_prefix
from export_pipeline.storage.retries import MaybeOurs
from export_pipeline.storage.store import Capabilities, StoredObject, UploadTarget
from export_pipeline.storage.versions import Versionless

LOOKS_AT_ONCE = 32
"""Objects of a list that are looked at together."""
_OVERHEARD = (
    "THE CREDENTIALS GO OVER PLAIN HTTP (EXPORT_STORAGE_URL): whoever stands between can take them,"
    " read the archive and write to it; write https://"
)


class HttpPutStore(Versionless):
    """Objects below a URL, one PUT each; the server shows none before its last byte.

    What is written is first taken in whole, so that it can be sent again after a cut, and read
    back afterwards. The target cannot list: see `index`.

    Args:
        url: safe to print.
        options: whether a PUT is create-only, and CloudConvert's own headers.
        client: requests below the URL.
    """

    def __init__(self, url: str, options: HttpPutOptions, client: HttpPutClient) -> None:
        self.url = url
        is_told = bool(options.own_headers()) and is_overheard(url)
        self.capabilities = Capabilities(
            create_only=options.create_only,
            signs_uploads=False,
            signs_downloads=False,
            lists=True,
            cautions=(_OVERHEARD,) if is_told else (),
        )
        self._options = options
        self._client = client
        self._index = index.Index(client)

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        """See `Store.put`; where the server is not create-only, it is looked at first."""
        name = _name(key)
        async with spooled(chunks) as body:
            if not self._options.create_only and await self.stat(key) is not None:
                raise self._taken(key)
            await self._index.add(name)
            await self._write(key, body, {"content-type": content_type} if content_type else {})
        return StoredObject(key, body.size)

    async def stat(self, key: str) -> StoredObject | None:
        """See `Store.stat`."""
        headers = await self._head(key)
        return _described(key, headers) if headers is not None else None

    async def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        """See `Store.open`; goes on by itself after a cut, as long as the object is the same."""
        name = _name(key)
        try:
            async with aclosing(read(self._client, name, offset)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except NotFound:
            raise NotFound(f"there is no {key!r} in {self.url}") from None

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """See `Store.list`; what was not written by this project is in no index."""
        batch: list[str] = []
        async for key in self._index.keys(require_prefix(prefix)):
            batch.append(key)
            if len(batch) == LOOKS_AT_ONCE:
                for found in await self._present(batch):
                    yield found
                batch = []
        for found in await self._present(batch):
            yield found

    async def copy(self, source: str, target: str) -> StoredObject:
        """See `Store.copy`; the bytes pass here, as HTTP has no word for it."""
        _name(target)
        found = await self._head(source)
        if found is None:
            raise NotFound(f"there is no {source!r} in {self.url} to copy to {target!r}")
        async with aclosing(read(self._client, source)) as chunks:
            return await self.put(target, chunks, content_type=found.get("content-type"))

    async def delete(self, key: str) -> None:
        """See `Store.delete`; its name stays in the index, which passes over it."""
        try:
            await self._client.call("DELETE", _name(key))
        except NotFound:
            return

    async def erase(self, key: str) -> int:
        """See `Store.erase`; what named a bag's objects goes too, its folder stays named."""
        erased = await super().erase(key)
        if key.endswith("/"):
            await self._index.drop(key)
        return erased

    async def sweep(self, older_than_seconds: float, now: float) -> int:
        """Nothing to remove: a PUT that breaks off leaves nothing, by HTTP's own rules."""
        return 0

    def sign_upload(self, key: str, *, seconds: float, typed: bool = True) -> UploadTarget | None:
        """None: a web server has no signed URLs in general."""
        return None

    def sign_download(self, key: str, *, seconds: float) -> str | None:
        """None: a web server has no signed URLs in general."""
        return None

    def cloudconvert(self, key: str) -> tuple[str, Mapping[str, object]] | None:
        """`export/upload` with the headers set for CloudConvert, create-only; None without."""
        arguments = self._options.cloudconvert(self._client.address(_name(key)))
        return ("export/upload", arguments) if arguments else None

    async def _write(self, key: str, body: Spool, headers: Mapping[str, str]) -> None:
        condition = CREATE_ONLY if self._options.create_only else {}
        try:
            await self._client.call("PUT", key, {**headers, **condition}, body)
        except MaybeOurs:
            if await self._sha256(key) != body.sha256:
                raise self._taken(key) from None
        else:
            await self._require_same(key, body)

    async def _require_same(self, key: str, body: Spool) -> None:
        try:
            found = await self._sha256(key)
        except NotFound:
            raise StoreUnavailable(f"{self.url}: {key!r} was written and is not there") from None
        if found != body.sha256:
            await self.delete(key)
            raise StoreUnavailable(f"{self.url}: {key!r} was stored with other bytes; now deleted")

    async def _sha256(self, key: str) -> bytes:
        digest = hashlib.sha256()
        async with aclosing(read(self._client, key)) as chunks:
            async for chunk in chunks:
                await feed(digest, [chunk])
        return digest.digest()

    async def _head(self, key: str) -> Mapping[str, str] | None:
        try:
            return (await self._client.call("HEAD", _name(key))).headers
        except NotFound:
            return None

    async def _present(self, keys: Sequence[str]) -> Sequence[StoredObject]:
        looks = await asyncio.gather(*map(self.stat, keys))
        return [found for found in looks if found is not None]

    def _taken(self, key: str) -> AlreadyExists:
        return AlreadyExists(f"{key!r} is in {self.url} already; it was left as it is")


def _name(key: str) -> str:
    if require_key(key).split("/", 1)[0] == index.FOLDER:
        raise StoreError(f"{key!r} is not a key: {index.FOLDER}/ holds the index")
    return key


def _described(key: str, headers: Mapping[str, str]) -> StoredObject:
    size = headers.get("content-length", "")
    if not size.isdecimal():
        raise StoreError(f"{key!r}: the server does not tell its size (Content-Length) on HEAD")
    return StoredObject(key, int(size))
