"""The store on Google Cloud Storage: create-only writes, checked, straight from vendors."""

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import aclosing

from export_pipeline.errors import ConfigError, NotFound, StoreError
from export_pipeline.storage.gcs import session, versions, writing
from export_pipeline.storage.gcs.account import LENT_OWN, Account
from export_pipeline.storage.gcs.client import GcsClient
from export_pipeline.storage.gcs.options import GcsOptions
from export_pipeline.storage.gcs.reading import read
from export_pipeline.storage.gcs.resource import FIELDS, read_resource
from export_pipeline.storage.gcs.signing import signed_url
from export_pipeline.storage.gcs.words import parse
from export_pipeline.storage.keys import require_key, require_prefix
from export_pipeline.storage.parts import parted
from export_pipeline.storage.store import Capabilities, StoredObject, StoredVersion, UploadTarget

CREATE_ONLY_HEADER = {"x-goog-if-generation-match": "0"}
UNKNOWN_TYPE = "application/octet-stream"
PAGE_OBJECTS = 1_000
"""Objects in one page of a list, the most there may be (JSON API: "Objects: list")."""


class GcsStore:
    """Objects below a prefix of a bucket.

    What we write is one call, or parts of `PART_BYTES` in a resumable upload; the store compares
    its MD5 with ours, and so do we. Both are create-only (`ifGenerationMatch=0`).

    Args:
        prefix: "", or a folder that ends in "/".
        options: CloudConvert's own credentials.
        client: calls on the bucket.
        account: signs URLs, where it can.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        prefix: str,
        options: GcsOptions,
        client: GcsClient,
        account: Account,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._prefix = prefix
        self._options = options
        self._client = client
        self._account = account
        self._now = now
        self.url = f"gs://{client.bucket}/{prefix}".rstrip("/")

    @property
    def capabilities(self) -> Capabilities:
        """It signs unless the credentials are no service account's and none was set to sign."""
        signs = self._account.signs
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
        """See `Store.put`; holds at most three parts in memory."""
        name, kind = self._name(key), content_type or UNKNOWN_TYPE
        async with parted(chunks, session.PART_BYTES) as (whole, parts):
            if whole is not None:
                made = await writing.put_whole(self._client, name, whole, kind)
            else:
                made = await writing.put_parts(self._client, name, parts, kind)
        return StoredObject(key, made.size, made.checksum)

    async def stat(self, key: str) -> StoredObject | None:
        """See `Store.stat`."""
        found = await self._client.find(self._name(key))
        return None if found is None else StoredObject(key, found.size, found.checksum)

    async def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        """See `Store.open`; goes on by itself after a cut, as long as the object is the same."""
        name = self._name(key)
        try:
            async with aclosing(read(self._client, name, offset)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except NotFound:
            await self._client.require_bucket(name)
            raise NotFound(f"there is no {key!r} in {self.url}") from None

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """See `Store.list`; a page in memory."""
        name = self._prefix + require_prefix(prefix)
        query = {"prefix": name, "maxResults": str(PAGE_OBJECTS)}
        query["fields"] = f"kind,nextPageToken,items({FIELDS})"
        while True:
            path = self._client.object_path()
            answer = await self._client.call("objects.list", "GET", path, name, query=query)
            page = parse(answer.body)
            if page.get("kind") != "storage#objects":
                raise StoreError(f"{self.url}: the list that it gives cannot be read")
            for item in page.get("items", ()):
                found = read_resource(item, name)
                # Some tools leave objects of no bytes to stand for folders.
                if not found.name.endswith("/"):
                    key = found.name.removeprefix(self._prefix)
                    yield StoredObject(key, found.size, found.checksum)
            if not page.get("nextPageToken"):
                return
            query["pageToken"] = page["nextPageToken"]

    async def copy(self, source: str, target: str) -> StoredObject:
        """See `Store.copy`."""
        origin, name = self._name(source), self._name(target)
        try:
            made = await writing.copy(self._client, origin, name)
        except NotFound:
            await self._client.require_bucket(origin)
            raise NotFound(f"there is no {source!r} in {self.url} to copy to {target!r}") from None
        return StoredObject(target, made.size, made.checksum)

    async def delete(self, key: str) -> None:
        """See `Store.delete`."""
        await self._client.delete(self._name(key))

    def sign_upload(
        self,
        key: str,
        *,
        seconds: float,
        typed: bool = True,  # noqa: ARG002  none is set
    ) -> UploadTarget | None:
        """See `Store.sign_upload`; a content type is left to the vendor.

        Without a key of ours it asks IAM, and so may block (see `iam_signer`).

        Raises:
            StoreError: no URL can live so long, or IAM does not sign it.
        """
        url = self._signed("PUT", self._name(key), CREATE_ONLY_HEADER, seconds)
        return UploadTarget("PUT", url, tuple(CREATE_ONLY_HEADER.items())) if url else None

    def sign_download(self, key: str, *, seconds: float) -> str | None:
        """See `Store.sign_download`; blocks as `sign_upload` does.

        Raises:
            StoreError: no URL can live so long, or IAM does not sign it.
        """
        return self._signed("GET", self._name(key), {}, seconds)

    def cloudconvert(self, key: str) -> tuple[str, Mapping[str, object]] | None:
        """`export/google-cloud-storage` with the credentials set for CloudConvert, if any are.

        Raises:
            ConfigError: they are of the archive's own account, wherever that was found.
            StoreError: the archive has no account.
        """
        arguments = self._options.cloudconvert(self._client.bucket, self._name(key))
        if arguments and self._account.acts_as(str(arguments["client_email"])):
            raise ConfigError(LENT_OWN)
        return ("export/google-cloud-storage", arguments) if arguments else None

    async def versions(self, key: str) -> AsyncIterator[StoredVersion]:
        """See `Store.versions`; the list itself tells what keeps each."""
        async for kept in versions.listed(self._client, self._erasable(key)):
            found = kept.found
            yield StoredVersion(found.name.removeprefix(self._prefix), found.size, kept.lock)

    async def erase(self, key: str) -> int:
        """See `Store.erase`; a bucket's soft delete still keeps what it is set to."""
        return await versions.erase(self._client, self._erasable(key))

    async def sweep(self, older_than_seconds: float, now: float) -> int:  # noqa: ARG002
        """Nothing to do: the service drops an upload that nobody ends after a week, and lists none.

        Returns:
            0.
        """
        return 0

    def _name(self, key: str) -> str:
        return self._prefix + require_key(key)

    def _erasable(self, key: str) -> str:
        return self._prefix + require_prefix(key) if key.endswith("/") else self._name(key)

    def _signed(
        self, verb: str, name: str, headers: Mapping[str, str], seconds: float
    ) -> str | None:
        signer = self._account.signer
        if signer is None:
            return None
        if seconds > signer.longest_seconds:
            raise StoreError(
                f"{self.url}: no URL that {signer.account} signs lives {seconds:g} seconds: the"
                f" limit is {signer.longest_seconds:g}; lower EXPORT_ORDER_DEADLINE, or what"
                " `link --for` asks for"
            )
        address = self._client.address(name)
        return signed_url(signer, verb, address, headers, seconds=seconds, now=self._now())
