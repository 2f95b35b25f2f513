"""Whole blobs: written and copied create-only, each checked before it is told to be there."""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing

from export_pipeline.errors import AlreadyExists, NotFound, StoreUnavailable
from export_pipeline.storage.azure import blocks
from export_pipeline.storage.azure.client import AzureClient
from export_pipeline.storage.azure.reading import read
from export_pipeline.storage.parts import Part, split
from export_pipeline.storage.retries import MaybeOurs

COPY_BYTES = 256 * 1024**2
"""Size of a blob that the service copies in one call (Azure: "Copy Blob From URL")."""
BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}
_TOKEN_BYTES = 16

Properties = Mapping[str, str]
"""A blob as the headers of an answer describe it; their names are in lower case."""


def _token() -> str:
    return secrets.token_hex(_TOKEN_BYTES)


class Blobs:
    """The blobs of one container, by their names.

    Args:
        client: calls on the container.
        token: gives a new name for one writer's blocks, all of one length.
    """

    def __init__(self, client: AzureClient, token: Callable[[], str] = _token) -> None:
        self._client = client
        self._token = token

    async def properties(self, name: str) -> Properties | None:
        """Describe a blob, None if there is none; a folder of a hierarchical account is none."""
        try:
            answer = await self._client.call("GetBlobProperties", "HEAD", name)
        except NotFound:
            return None
        is_folder = answer.headers.get("x-ms-resource-type") == "directory"
        return None if is_folder else answer.headers

    async def put(self, name: str, part: Part, headers: Mapping[str, str]) -> Properties:
        """Write a blob of one part.

        Raises:
            AlreadyExists: there is another.
        """
        checksum = await blocks.content_md5(part)
        checked = {**BLOCK_BLOB, **blocks.CREATE_ONLY, "content-md5": checksum}
        try:
            answer = await self._client.call(
                "PutBlob", "PUT", name, headers={**headers, **checked}, body=part
            )
        except MaybeOurs:
            return await self._ours_after_all(name, [part.sha256])
        except AlreadyExists:
            if await self.properties(name) is not None:
                raise
            # Azurite takes the blocks of a writer that broke off for a blob, but not here.
            return await self.put_blocks(name, _alone(part), headers)
        if answer.headers.get("content-md5") != checksum:
            await self._as_written(name, part.size)
            await self._read_back(name, [part.sha256])
        return {**answer.headers, "content-length": str(part.size)}

    async def put_blocks(
        self, name: str, parts: AsyncIterator[Part], headers: Mapping[str, str]
    ) -> Properties:
        """Write a blob of many parts, which become visible together.

        Raises:
            AlreadyExists: there is another.
        """
        sent = await blocks.send_all(self._client, name, self._token(), parts)
        digests = [part.sha256 for part in sent.parts]
        try:
            await blocks.commit(self._client, name, sent.ids, headers)
        except MaybeOurs:
            return await self._ours_after_all(name, digests)
        found = await self._as_written(name, sum(part.size for part in sent.parts))
        if not sent.is_checked:
            await self._read_back(name, digests)
        return found

    async def copy(
        self, source: str, found: Properties, name: str, headers: Mapping[str, str]
    ) -> Properties:
        """Have the service copy a blob, as long as it stays the one that was found.

        Raises:
            AlreadyExists: there is another at `name`.
        """
        size = int(found["content-length"])
        try:
            if size <= COPY_BYTES:
                await self._copy_whole(source, found["etag"], name, headers)
            else:
                await self._copy_blocks(source, found, name, headers)
        except MaybeOurs:
            return await self._ours_after_all(name, await self._digests(source))
        return await self._as_written(name, size)

    async def delete(self, name: str) -> None:
        """Remove a blob with its snapshots; absent already is fine."""
        headers = {"x-ms-delete-snapshots": "include"}
        try:
            await self._client.call("DeleteBlob", "DELETE", name, headers=headers)
        except NotFound:
            return

    async def _copy_whole(
        self, source: str, etag: str, name: str, headers: Mapping[str, str]
    ) -> None:
        copying = {
            "x-ms-copy-source": await self._client.readable(source),
            "x-ms-requires-sync": "true",
            "x-ms-source-if-match": etag,
        }
        await self._client.call(
            "CopyBlob", "PUT", name, headers={**headers, **blocks.CREATE_ONLY, **copying}
        )

    async def _copy_blocks(
        self, source: str, found: Properties, name: str, headers: Mapping[str, str]
    ) -> None:
        size, etag = int(found["content-length"]), found["etag"]
        ids = await blocks.copy_all(self._client, source, name, self._token(), size=size, etag=etag)
        # Unlike a copy in one call, one in blocks does not take the type along.
        typed = {"x-ms-blob-content-type": found["content-type"]}
        await blocks.commit(self._client, name, ids, {**headers, **typed})

    async def _ours_after_all(self, name: str, digests: Sequence[bytes]) -> Properties:
        """Describe a blob that an earlier try of ours made.

        Raises:
            AlreadyExists: it is another's.
            StoreUnavailable: there is none, and its blocks are gone.
        """
        found = await self.properties(name)
        if found is None:
            raise StoreUnavailable(f"{self._named(name)}: its blocks are gone: write it again")
        if await self._digests(name) != digests:
            raise AlreadyExists(f"{self._named(name)}: there is another; it was left as it is")
        return found

    async def _as_written(self, name: str, size: int) -> Properties:
        found = await self.properties(name)
        if found is None or int(found["content-length"]) != size:
            await self.delete(name)
            raise StoreUnavailable(f"{self._named(name)}: it was written and is not there whole")
        return found

    async def _read_back(self, name: str, digests: Sequence[bytes]) -> None:
        """Compare what the store gives back with what was sent, where it checked nothing itself."""
        if await self._digests(name) != digests:
            await self.delete(name)
            raise StoreUnavailable(f"{self._named(name)}: stored with other bytes; now deleted")

    async def _digests(self, name: str) -> Sequence[bytes]:
        """Return the sha256 of each block's worth of a blob's bytes."""
        chunks = read(self._client, name, 0)
        async with aclosing(split(chunks, blocks.BLOCK_BYTES)) as parts:
            return [part.sha256 async for part in parts]

    def _named(self, name: str) -> str:
        return self._client.place.named(name)


async def _alone(part: Part) -> AsyncIterator[Part]:
    yield part
