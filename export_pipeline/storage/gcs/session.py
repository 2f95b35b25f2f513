"""Resumable uploads: nothing is visible before the last byte, and a cut costs only what it cut.

Cloud Storage: "Perform resumable uploads".
"""

import base64
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from export_pipeline.errors import AlreadyExists, NotFound, StoreError, StoreUnavailable
from export_pipeline.storage.gcs.client import CREATE_ONLY, GcsClient
from export_pipeline.storage.gcs.resource import Resource, read_resource
from export_pipeline.storage.gcs.words import SESSION, parse
from export_pipeline.storage.parts import Part
from export_pipeline.storage.retries import MaybeOurs

PART_BYTES = 16 * 1024**2
"""Bytes of a part; an object up to this size is one call. The store takes multiples of 256 KiB."""
_INCOMPLETE = HTTPStatus.PERMANENT_REDIRECT
_CANCELLED = 499


class Session:
    """One upload under way.

    Args:
        client: calls on the bucket.
        name: of the object.
        url: of the session; whoever has it may write, so it needs no token and is never shown.
    """

    def __init__(self, client: GcsClient, name: str, url: str) -> None:
        self._client = client
        self._name = name
        self._url = url
        self._kept = 0

    async def send(self, part: Part) -> None:
        """Send a part that is not the last, of a multiple of 256 KiB.

        Raises:
            StoreUnavailable: the store does not take it; the upload must begin anew.
        """
        try:
            await self._deliver(part, "*", {})
        except NotFound as error:
            raise StoreUnavailable(f"{error}: begin it anew") from None

    async def finish(self, part: Part, md5: bytes) -> Resource:
        """Send the last part, and have the store compare the MD5 of the whole object.

        Raises:
            AlreadyExists: there is an object; `MaybeOurs` if this upload may have made it.
            StoreUnavailable: see `send`.
        """
        checksum = {"x-goog-hash": f"md5={base64.b64encode(md5).decode()}"}
        try:
            made = await self._deliver(part, str(self._kept + part.size), checksum)
        except NotFound as error:
            raise MaybeOurs(str(error)) from None
        if made is None:
            raise AssertionError("unreachable")
        return made

    async def cancel(self) -> None:
        """Give the upload up; given up already is fine."""
        with suppress(NotFound):
            await self._client.once(
                SESSION, "DELETE", self._url, self._name, headers={}, others=frozenset({_CANCELLED})
            )

    async def _deliver(
        self, part: Part, total: str, checksum: Mapping[str, str]
    ) -> Resource | None:
        """Send a part; after a cut, ask how far it got and send the rest.

        Args:
            total: bytes of the object if this is its last part, else "*".

        Returns:
            The object, None while there is more to come.
        """
        start, failures = self._kept, 0
        while True:
            known = self._kept
            try:
                made = await self._put(f"bytes */{total}", 0, {}, ()) if failures else None
                made = made or await self._send_rest(part, start, total, checksum)
                if made or (total == "*" and self._kept == start + part.size):
                    return made
                if self._kept <= known:
                    raise StoreUnavailable(f"{self._name!r}: the store kept none of what was sent")
            except AlreadyExists as error:
                raise (MaybeOurs(str(error)) if failures else error) from None
            except StoreUnavailable as error:
                failures = 1 if self._kept > known else failures + 1
                await self._client.retries.rest(failures, error)

    async def _send_rest(
        self, part: Part, start: int, total: str, checksum: Mapping[str, str]
    ) -> Resource | None:
        end = start + part.size
        if not start <= self._kept < end:
            return None
        rest = _rest(part, self._kept - start)
        return await self._put(
            f"bytes {self._kept}-{end - 1}/{total}", end - self._kept, checksum, rest
        )

    async def _put(
        self, span: str, size: int, headers: Mapping[str, str], body: Iterable[memoryview]
    ) -> Resource | None:
        answer = await self._client.once(
            SESSION,
            "PUT",
            self._url,
            self._name,
            headers={**headers, "content-range": span, "content-length": str(size)},
            body=body,
            others=frozenset({_INCOMPLETE}),
        )
        if answer.status != _INCOMPLETE:
            return read_resource(parse(answer.body), self._name)
        last = answer.headers.get("range", "").rpartition("-")[2]
        self._kept = int(last) + 1 if last else 0
        return None


@asynccontextmanager
async def begun(client: GcsClient, name: str, content_type: str) -> AsyncIterator[Session]:
    """Begin an upload; cancel it if anything inside fails.

    Raises:
        AlreadyExists: there is an object.
    """
    document = json.dumps({"name": name, "contentType": content_type}).encode()
    try:
        answer = await client.call(
            "objects.insert",
            "POST",
            client.upload_path(),
            name,
            query={"uploadType": "resumable", **CREATE_ONLY},
            headers={"content-type": "application/json", "content-length": str(len(document))},
            body=[document],
        )
    except MaybeOurs as error:
        # Beginning makes nothing: it is another writer's.
        raise AlreadyExists(str(error)) from None
    # Only ever at the endpoint that was set, wherever it says.
    place = urlsplit(answer.headers.get("location", ""))
    session = Session(client, name, f"{client.endpoint}{place.path}?{place.query}")
    try:
        yield session
    except BaseException as error:
        await _cancel_for(error, session)
        raise


async def _cancel_for(cause: BaseException, session: Session) -> None:
    try:
        await session.cancel()
    except StoreError as error:
        # The first error is the one to tell; this one rides along.
        cause.add_note(f"the upload was left to the store, which drops it after a week: {error}")


def _rest(part: Part, offset: int) -> Iterator[memoryview]:
    for piece in part:
        if offset < len(piece):
            yield memoryview(piece)[offset:]
        offset = max(0, offset - len(piece))
