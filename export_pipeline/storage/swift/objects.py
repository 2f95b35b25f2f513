"""Whole objects: written and copied create-only, each checked before it is told to be there."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from weakref import WeakValueDictionary

from export_pipeline.errors import AlreadyExists, NotFound, StoreError, StoreUnavailable
from export_pipeline.storage.keys import require_key
from export_pipeline.storage.parts import Part, make_part, md5_of
from export_pipeline.storage.retries import MaybeOurs
from export_pipeline.storage.swift import segments
from export_pipeline.storage.swift.client import SwiftClient
from export_pipeline.storage.swift.segments import FOLDER, WRITER, Manifest, bare_etag

CREATE_ONLY = {"if-none-match": "*"}
_NEWEST = {"x-newest": "true"}
_TOKEN_BYTES = 8

Headers = Mapping[str, str]
"""An object as the headers of an answer describe it; their names are in lower case."""


def _token() -> str:
    return secrets.token_hex(_TOKEN_BYTES)


class Objects:
    """The objects below a prefix of one container, by their keys.

    Swift looks for an object when a PUT begins and not when it ends: of two at once both are let
    through, and the one that began later stays. So the writers of one process take turns, and each
    looks whether what stayed is its own. Of two processes, one may still replace what the other
    began to write in the same moment.

    Args:
        prefix: "", or a folder that ends in "/".
        client: calls on the container.
        token: gives a new name for one writer's segments.
    """

    def __init__(self, prefix: str, client: SwiftClient, token: Callable[[], str] = _token) -> None:
        self._prefix = prefix
        self._client = client
        self._token = token
        self._container_exists = False
        self._turns: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = (
            WeakValueDictionary()
        )

    def name(self, key: str) -> str:
        """Return the name of an object in the container.

        Raises:
            StoreError: there can be none of that key.
        """
        if require_key(key).startswith(FOLDER):
            raise StoreError(f"{key!r} is not a key: {FOLDER} holds parts of large objects")
        return self._prefix + key

    def folder(self, key: str, token: str) -> str:
        """Return where one writer's segments of an object lie."""
        return f"{self._prefix}{FOLDER}{key}/{token}/"

    async def head(self, name: str, headers: Headers | None = None) -> Headers | None:
        """Describe an object; None if there is none, which only a container that exists can say."""
        try:
            answer = await self._client.call("HEAD", name, headers=headers)
        except NotFound:
            await self.require_container()
            return None
        self._container_exists = True
        return answer.headers

    async def put(self, key: str, part: Part, content_type: str | None) -> Headers:
        """Write an object of one part.

        Raises:
            AlreadyExists: there is another.
        """
        etag = (await md5_of(part)).hex()
        headers = {**CREATE_ONLY, **_typed(content_type), "etag": etag}
        name = self.name(key)
        return await self._published(
            key, etag, lambda: self._client.call("PUT", name, headers=headers, body=part)
        )

    async def put_segments(
        self, key: str, parts: AsyncIterator[Part], content_type: str | None
    ) -> Headers:
        """Write an object of many parts, which become visible together.

        Raises:
            AlreadyExists: there is another.
        """
        token = self._token()
        async with segments.begun(self._client, self.folder(key, token)) as folder:
            sent = await segments.send_all(self._client, folder, parts)
            manifest = await segments.make_manifest(self._client, folder, sent)
        return await self._put_manifest(key, token, manifest, content_type)

    async def copy(self, source: str, found: Headers, key: str) -> Headers:
        """Have Swift copy an object, as long as it stays the one that was found.

        In segments, since only what is put is create-only in Swift.

        Raises:
            AlreadyExists: there is another at `key`.
        """
        size, content_type = int(found["content-length"]), found.get("content-type")
        if not size:
            return await self.put(key, await make_part([]), content_type)
        origin, etag, token = self.name(source), bare_etag(found), self._token()
        async with segments.begun(self._client, self.folder(key, token)) as folder:
            copied = await segments.copy_all(self._client, origin, folder, size=size, etag=etag)
            manifest = await segments.make_manifest(self._client, folder, copied)
        return await self._put_manifest(key, token, manifest, content_type)

    async def delete(self, key: str) -> None:
        """Remove an object with the segments that we wrote; absent already is fine."""
        name = self.name(key)
        found = await self.head(name)
        if found is None:
            return
        with suppress(NotFound):
            await self._client.call("DELETE", name)
        if token := found.get(WRITER):
            await segments.remove(self._client, self.folder(key, token))

    async def require_container(self) -> None:
        """Tell a missing container from a missing object, which Swift's answers do not, once."""
        if not self._container_exists:
            await self._client.call("HEAD", "")
            self._container_exists = True

    async def _put_manifest(
        self, key: str, token: str, manifest: Manifest, content_type: str | None
    ) -> Headers:
        headers = {**CREATE_ONLY, **_typed(content_type), WRITER: token}
        name = self.name(key)
        try:
            return await self._published(
                key,
                manifest.etag,
                lambda: segments.put_manifest(self._client, name, manifest, headers),
            )
        except AlreadyExists:
            # After any other error the object may be there all the same; then they are its own. So
            # they are after this one if Swift only told another etag than it has.
            found = await self.head(name, _NEWEST)
            if found is None or found.get(WRITER) != token:
                await segments.remove(self._client, self.folder(key, token))
            raise

    async def _published(
        self, key: str, etag: str, write: Callable[[], Awaitable[object]]
    ) -> Headers:
        """Make an object visible, and see that it is the one that is there.

        Raises:
            AlreadyExists: another was there, or came at the same time.
        """
        name = self.name(key)
        async with self._turns.setdefault((asyncio.get_running_loop(), name), asyncio.Lock()):
            with suppress(MaybeOurs):
                await write()
            found = await self.head(name, _NEWEST)
        where = f"{name!r} in container {self._client.container!r}"
        if found is None:
            raise StoreUnavailable(f"{where} was written and is not there")
        if bare_etag(found) != etag:
            raise AlreadyExists(f"{where} is there already; it was left as it is")
        return found


def _typed(content_type: str | None) -> dict[str, str]:
    return {"content-type": content_type} if content_type else {}
