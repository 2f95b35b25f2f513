"""The store on Azure Blob Storage: create-only writes, checked, straight from vendors."""

import base64
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from xml.etree import ElementTree as ET

from export_pipeline.errors import NotFound, StoreError
from export_pipeline.storage.azure import blocks, versions
from export_pipeline.storage.azure.blobs import BLOCK_BLOB, Blobs
from export_pipeline.storage.azure.client import AzureClient
from export_pipeline.storage.azure.options import AzureOptions
from export_pipeline.storage.azure.reading import read
from export_pipeline.storage.azure.signing import sas
from export_pipeline.storage.keys import require_key, require_prefix
from export_pipeline.storage.parts import parted
from export_pipeline.storage.store import Capabilities, StoredObject, StoredVersion, UploadTarget
from export_pipeline.storage.xml import parse, text

LIST_PAGE = 1_000
"""Blobs in one page of a list; Azure gives up to 5,000."""


class AzureStore:
    """Blobs below a prefix of a container.

    What we write is one Put Blob, or blocks of `BLOCK_BYTES` that become visible together; the
    service checks the MD5 of each, or the blob is read back. Both are create-only
    (`If-None-Match: *`).

    Args:
        prefix: "", or a folder that ends in "/".
        options: what every blob gets, and CloudConvert's own credentials.
        client: calls on the container.
        now: seconds since the epoch.
    """

    def __init__(
        self, prefix: str, options: AzureOptions, client: AzureClient, now: Callable[[], float]
    ) -> None:
        self._prefix = prefix
        self._options = options
        self._client = client
        self._blobs = Blobs(client)
        self._now = now
        place = client.place
        self.url = f"az://{place.account}/{place.container}/{prefix}".rstrip("/")

    @property
    def capabilities(self) -> Capabilities:
        """It signs unless all that was set is a SAS token."""
        signs = self._client.credentials.signs
        return Capabilities(
            create_only=True,
            signs_uploads=signs,
            signs_downloads=signs,
            lists=True,
            checksums=True,
        )

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        """See `Store.put`; holds at most `BLOCKS_IN_FLIGHT` blocks and one more in memory."""
        name = self._name(key)
        typed = {"x-ms-blob-content-type": content_type} if content_type else {}
        headers = {**self._options.headers(), **typed}
        async with parted(chunks, blocks.BLOCK_BYTES) as (whole, parts):
            if whole is not None:
                found = await self._blobs.put(name, whole, headers)
            else:
                found = await self._blobs.put_blocks(name, parts, headers)
        return _described(key, found)

    async def stat(self, key: str) -> StoredObject | None:
        """See `Store.stat`."""
        found = await self._blobs.properties(self._name(key))
        return _described(key, found) if found is not None else None

    async def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        """See `Store.open`; goes on by itself after a cut, as long as the blob is the same."""
        try:
            async with aclosing(read(self._client, self._name(key), offset)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except NotFound:
            raise NotFound(f"there is no {key!r} in {self.url}") from None

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """See `Store.list`; a page of 1,000 in memory."""
        query = {
            "comp": "list",
            "maxresults": str(LIST_PAGE),
            "prefix": self._prefix + require_prefix(prefix),
            "restype": "container",
        }
        while True:
            answer = await self._client.call("ListBlobs", "GET", "", query=query)
            page = parse(answer.body)
            if page is None:
                raise StoreError(f"{self.url}: the list that it gives cannot be read")
            for found in page.iterfind("Blobs/Blob"):
                if not _is_folder(found):
                    yield self._listed(found)
            query["marker"] = text(page, "NextMarker")
            if not query["marker"]:
                return

    async def copy(self, source: str, target: str) -> StoredObject:
        """See `Store.copy`; the service reads the source itself, by a URL signed for it."""
        origin, name = self._name(source), self._name(target)
        found = await self._blobs.properties(origin)
        if found is None:
            raise NotFound(f"there is no {source!r} in {self.url} to copy to {target!r}")
        copied = await self._blobs.copy(origin, found, name, self._options.headers())
        return _described(target, copied)

    async def delete(self, key: str) -> None:
        """See `Store.delete`; what somebody kept of it as a snapshot goes with it."""
        await self._blobs.delete(self._name(key))

    def sign_upload(
        self,
        key: str,
        *,
        seconds: float,
        typed: bool = True,  # noqa: ARG002  none is set
    ) -> UploadTarget | None:
        """See `Store.sign_upload`; it may create the blob, and not replace it.

        A SAS binds no headers: what is handed out with it must be sent all the same, and none that
        could be added opens the blob to others. With an identity the first call may block, see
        `Chain`.

        Raises:
            StoreError: no URL can live so long, or there is no key to sign it with.
        """
        url = self._signed("c", key, seconds)
        headers = {**BLOCK_BLOB, **self._options.headers()}
        return UploadTarget("PUT", url, tuple(sorted(headers.items()))) if url else None

    def sign_download(self, key: str, *, seconds: float) -> str | None:
        """See `Store.sign_download` and `sign_upload`.

        Raises:
            StoreError: no URL can live so long, or there is no key to sign it with.
        """
        return self._signed("r", key, seconds)

    def cloudconvert(self, key: str) -> tuple[str, Mapping[str, object]] | None:
        """`export/azure/blob` with the credentials set for CloudConvert; None if there are none."""
        arguments = self._options.cloudconvert(self._client.place, self._name(key))
        return ("export/azure/blob", arguments) if arguments else None

    async def versions(self, key: str) -> AsyncIterator[StoredVersion]:
        """See `Store.versions`; snapshots are among them, the list itself tells what keeps each."""
        async for found in versions.listed(self._client, self._erasable(key), self._now()):
            yield StoredVersion(found.name.removeprefix(self._prefix), found.size, found.lock)

    async def erase(self, key: str) -> int:
        """See `Store.erase`; an account's soft delete still keeps what it is set to."""
        return await versions.erase(self._client, self._erasable(key), self._now())

    async def sweep(self, older_than_seconds: float, now: float) -> int:  # noqa: ARG002  see below
        """0: what crashed writers left are blocks, which Azure drops by itself, see `blocks`."""
        return 0

    def _name(self, key: str) -> str:
        return self._prefix + require_key(key)

    def _erasable(self, key: str) -> str:
        return self._prefix + require_prefix(key) if key.endswith("/") else self._name(key)

    def _signed(self, permission: str, key: str, seconds: float) -> str | None:
        place, name = self._client.place, self._name(key)
        signing = self._client.credentials.key_now(seconds)
        if signing is None:
            return None
        until = self._now() + seconds
        return f"{place.address(name)}?{sas(place, name, permission, until, signing)}"

    def _listed(self, found: ET.Element) -> StoredObject:
        key = text(found, "Name").removeprefix(self._prefix)
        size, md5, etag = (
            text(found, f"Properties/{name}") for name in ("Content-Length", "Content-MD5", "Etag")
        )
        return StoredObject(key, int(size), _checksum(md5, etag))


def _is_folder(found: ET.Element) -> bool:
    # Hierarchical accounts list folders too; some tools leave blobs of no bytes to stand for them.
    is_directory = text(found, "Properties/ResourceType") == "directory"
    return is_directory or text(found, "Name").endswith("/")


def _described(key: str, headers: Mapping[str, str]) -> StoredObject:
    checksum = _checksum(headers.get("content-md5", ""), headers.get("etag", ""))
    return StoredObject(key, int(headers["content-length"]), checksum)


def _checksum(md5: str, etag: str) -> str | None:
    """Name what Azure keeps: the MD5 of a blob that came in one piece, else only its version."""
    if md5:
        return f"md5:{base64.b64decode(md5).hex()}"
    version = etag.strip('"')
    return f"etag:{version}" if version else None
