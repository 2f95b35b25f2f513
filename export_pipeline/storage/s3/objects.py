"""Whole objects: written and copied create-only, each checked before it is told to be there."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing

from export_pipeline.errors import AlreadyExists, NotFound, StoreError, StoreUnavailable
from export_pipeline.storage.hashing import feed
from export_pipeline.storage.parts import Part, split
from export_pipeline.storage.retries import MaybeOurs
from export_pipeline.storage.s3 import multipart
from export_pipeline.storage.s3.client import CHECKSUM, S3Client
from export_pipeline.storage.s3.reading import read

_ASK_CHECKSUM = {"x-amz-checksum-mode": "ENABLED"}
_EMPTY = Part((), 0, hashlib.sha256().digest())

Headers = Mapping[str, str]
"""An object as the headers of an answer describe it; their names are in lower case."""


class Objects:
    """The objects of one bucket, by their names.

    Args:
        client: calls on the bucket.
        create_only: whether the store heeds `If-None-Match: *`; where not, it is not asked to, and
            looked at first.
    """

    def __init__(self, client: S3Client, *, create_only: bool) -> None:
        self._client = client
        self._looks_first = not create_only
        self._condition = multipart.CREATE_ONLY if create_only else {}
        self._bucket_exists = False

    async def head(self, name: str) -> Headers | None:
        """Describe an object; None if there is none, which only a bucket that exists can say."""
        try:
            answer = await self._client.call("HeadObject", "HEAD", name, headers=_ASK_CHECKSUM)
        except NotFound:
            await self.require_bucket(name)
            return None
        except StoreUnavailable:
            raise
        except StoreError:
            # The answer to a HEAD has no body and so no reason; that to a GET has.
            await self._client.call("GetObject", "GET", name, headers={"range": "bytes=0-0"})
            raise
        self._bucket_exists = True
        return answer.headers

    async def put(self, name: str, part: Part, headers: Headers) -> Headers:
        """Write an object of one part.

        Raises:
            AlreadyExists: there is another.
        """
        await self._look_first(name)
        checksum = base64.b64encode(part.sha256).decode()
        checked = {**headers, **self._condition, CHECKSUM: checksum}
        try:
            answer = await self._client.call("PutObject", "PUT", name, headers=checked, body=part)
        except MaybeOurs:
            return await self._ours_after_all(name, part.size, checksum)
        self._bucket_exists = True
        if answer.headers.get(CHECKSUM) != checksum:
            await self._as_written(name, part.size)
            await self._read_back(name, [part])
        return {**answer.headers, "content-length": str(part.size)}

    async def put_parts(self, name: str, parts: AsyncIterator[Part], headers: Headers) -> Headers:
        """Write an object of many parts, which become visible together.

        Raises:
            AlreadyExists: there is another.
        """
        await self._look_first(name)
        async with multipart.begun(self._client, name, headers, checked=True) as upload:
            sent, known = await multipart.send_all(self._client, name, upload, parts)
            size = sum(part.size for part in known)
            try:
                await multipart.complete(self._client, name, upload, sent, self._condition)
            except MaybeOurs:
                return await self._ours_after_all(name, size, multipart.composite(known))
        found = await self._as_written(name, size)
        if not all(one.is_checked for one in sent):
            await self._read_back(name, known)
        return found

    async def copy(self, source: str, found: Headers, name: str, headers: Headers) -> Headers:
        """Have the store copy an object, as long as it stays the one that was found.

        As an upload in parts, since only that is create-only everywhere.

        Raises:
            AlreadyExists: there is another at `name`.
        """
        size = int(found["content-length"])
        if not size:
            return await self.put(name, _EMPTY, headers)
        await self._look_first(name)
        async with multipart.begun(self._client, name, headers, checked=False) as upload:
            sent = await multipart.copy_all(
                self._client, source, name, upload, size=size, etag=found["etag"]
            )
            try:
                await multipart.complete(self._client, name, upload, sent, self._condition)
            except MaybeOurs:
                await self._require_copy(name, source, size)
        return await self._as_written(name, size)

    async def delete(self, name: str) -> None:
        """Remove an object; absent already is fine."""
        try:
            await self._client.call("DeleteObject", "DELETE", name)
        except NotFound:
            return

    async def require_bucket(self, name: str) -> None:
        """Tell a missing bucket from a missing object, which a HEAD does not, once."""
        if not self._bucket_exists:
            query = {"list-type": "2", "max-keys": "1", "prefix": name}
            await self._client.call("ListObjectsV2", "GET", "", query=query)
            self._bucket_exists = True

    async def _look_first(self, name: str) -> None:
        if self._looks_first and await self.head(name) is not None:
            raise self._taken(name)

    async def _ours_after_all(self, name: str, size: int, checksum: str) -> Headers:
        """Describe an object that an earlier try of ours made.

        Raises:
            AlreadyExists: it is not ours, or cannot be told from another's.
            StoreUnavailable: it is gone again.
        """
        found = await self._refused_for(name)
        if found.get(CHECKSUM) != checksum or int(found["content-length"]) != size:
            raise self._taken(name)
        return found

    async def _require_copy(self, name: str, source: str, size: int) -> None:
        """Make sure that an earlier try of ours made the object, by its bytes.

        No checksum would do: the store makes its own of the parts, and need not tell it.

        Raises:
            AlreadyExists: it is another's.
            StoreUnavailable: it is gone again.
        """
        found = await self._refused_for(name)
        is_whole = int(found["content-length"]) == size
        if not is_whole or await self._sha256(name) != await self._sha256(source):
            raise self._taken(name)

    async def _refused_for(self, name: str) -> Headers:
        found = await self.head(name)
        if found is None:
            raise StoreUnavailable(f"{self._named(name)} was refused as taken and is not there")
        return found

    async def _sha256(self, name: str) -> bytes:
        digest = hashlib.sha256()
        async with aclosing(read(self._client, name, 0)) as chunks:
            async for chunk in chunks:
                await feed(digest, [chunk])
        return digest.digest()

    async def _as_written(self, name: str, size: int) -> Headers:
        found = await self.head(name)
        if found is None or int(found["content-length"]) != size:
            await self.delete(name)
            raise StoreUnavailable(f"{self._named(name)} was written and is not there whole")
        return found

    async def _read_back(self, name: str, parts: Sequence[Part]) -> None:
        """Compare what the store gives back with what was sent, where it checked nothing itself."""
        chunks = read(self._client, name, 0)
        async with aclosing(split(chunks, multipart.PART_BYTES)) as found:
            digests = [part.sha256 async for part in found]
        if digests != [part.sha256 for part in parts]:
            await self.delete(name)
            raise StoreUnavailable(f"{self._named(name)} was stored with other bytes; now deleted")

    def _taken(self, name: str) -> AlreadyExists:
        return AlreadyExists(f"{self._named(name)} is there already; it was left as it is")

    def _named(self, name: str) -> str:
        return f"{name!r} in bucket {self._client.place.bucket!r}"
