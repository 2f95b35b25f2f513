"""The store on an SFTP server: whole, checked files only, each under a name that is taken once."""

# ruff: noqa: ARG002 - the signatures are those of `Store`; SFTP needs less of them.

import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress

from export_pipeline.errors import NotFound, StoreError, StoreUnavailable
from export_pipeline.storage.keys import require_key, require_prefix
from export_pipeline.storage.parts import split
from export_pipeline.storage.retries import MaybeOurs
from export_pipeline.storage.sftp import writing
from export_pipeline.storage.sftp.client import SftpClient
from export_pipeline.storage.sftp.connection import Link
from export_pipeline.storage.sftp.folders import Folders, remove, remove_folder
from export_pipeline.storage.sftp.listing import DRAFTS, is_file, scan, walk
from export_pipeline.storage.sftp.options import SftpOptions
from export_pipeline.storage.sftp.own_keys import own_keys
from export_pipeline.storage.sftp.place import Login, require_another
from export_pipeline.storage.sftp.reading import Digests, digests, original, read
from export_pipeline.storage.store import CHUNK_BYTES, Capabilities, StoredObject, UploadTarget
from export_pipeline.storage.versions import Versionless

_TOKEN_BYTES = 16
_UNCHECKED = (
    "THE HOST KEY IS NOT CHECKED (EXPORT_SFTP_HOST_KEY_CHECKING=false): whoever stands between can"
    " take the login, read the archive and write to it; set EXPORT_SFTP_HOST_KEY instead"
)


def _token() -> str:
    return secrets.token_hex(_TOKEN_BYTES)


class SftpStore(Versionless):
    """Objects as files below one folder of an SFTP server, which must be there.

    A file is written as a draft below `.unfinished/`, synced, read back and compared by sha256,
    and renamed to its name, which the server refuses if the name is taken. Where a connection
    broke, each request is sent again on the next one; what was sent stays.

    Args:
        options: the user lent to CloudConvert, and whether the server's rename is exclusive.
        client: calls the server.
        login: how the archive's own user is let in.
        token: gives a new name for each draft.
    """

    def __init__(
        self,
        options: SftpOptions,
        client: SftpClient,
        login: Login,
        *,
        token: Callable[[], str] = _token,
    ) -> None:
        self._options = options
        self._client = client
        self._login = login
        self._token = token
        self._root = client.place.folder
        self._folders = Folders(self._root, looks_first=not options.create_only)
        self.url = client.place.url

    @property
    def capabilities(self) -> Capabilities:
        """It never signs: vendors write through the receiver."""
        return Capabilities(
            create_only=self._options.create_only,
            signs_uploads=False,
            signs_downloads=False,
            lists=True,
            needs_folders=True,
            cautions=() if self._options.host_key_checking else (_UNCHECKED,),
        )

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        """See `Store.put`; holds a few times `CHUNK_BYTES` in memory. SFTP keeps no type."""
        path, draft = self._path(key), self._draft()
        async with (
            aclosing(split(chunks, CHUNK_BYTES)) as parts,
            writing.drafted(self._client, key, draft) as file,
        ):
            known = await writing.write(file, parts)
            sent = [part.sha256 for part in known]
            await file.call("writing", lambda opened: opened.sync())
            if await digests(file, key) != sent:
                raise StoreUnavailable(f"{self.url}: {key!r} was stored with other bytes")
            await file.close()
            try:
                await self._publish(key, draft, path)
            except MaybeOurs:
                if await self._digests(key, path) != sent:
                    raise
        return StoredObject(key, sum(part.size for part in known))

    async def stat(self, key: str) -> StoredObject | None:
        """See `Store.stat`."""
        path = self._path(key)
        try:
            found = await self._client.call("looking at", key, lambda link: link.sftp.lstat(path))
        except NotFound:
            return None
        return StoredObject(key, found.size or 0) if is_file(found) else None

    async def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        """See `Store.open`; goes on by itself after a cut, as long as the object is the same."""
        async with (
            original(self._client, self._path(key), key) as file,
            aclosing(read(file, key, offset)) as chunks,
        ):
            async for chunk in chunks:
                yield chunk

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """See `Store.list`."""
        async with aclosing(walk(self._client, require_prefix(prefix))) as found:
            async for stored in found:
                yield stored

    async def copy(self, source: str, target: str) -> StoredObject:
        """See `Store.copy`; by the server itself where it has the extension `copy-data`.

        Never a hard link: a vendor that wrote the source could go on writing to it.
        """
        if not await self._client.call("copying", target, _copies):
            return await self.put(target, self.open(source))
        path, draft = self._path(target), self._draft()
        async with (
            original(self._client, self._path(source), source) as origin,
            writing.drafted(self._client, target, draft) as file,
        ):
            size = await writing.copy(self._client, target, origin, file)
            await file.call("copying", lambda opened: opened.sync())
            await file.close()
            try:
                await self._publish(target, draft, path)
            except MaybeOurs:
                if await self._digests(target, path) != await digests(origin, source):
                    raise
        return StoredObject(target, size)

    async def delete(self, key: str) -> None:
        """See `Store.delete`; folders stay, as a put may be about to rename into them."""
        await self._remove(key, self._path(key))

    async def erase(self, key: str) -> int:
        """See `Store.erase`; a folder goes with its name."""
        erased = await super().erase(key)
        if key.endswith("/"):
            path = f"{self._root}/{require_prefix(key)}".rstrip("/")
            with suppress(NotFound):
                await self._client.call("removing", key, lambda link: remove_folder(link, path))
        return erased

    async def sweep(self, older_than_seconds: float, now: float) -> int:
        """Remove drafts that crashed writers left; return how many.

        Args:
            older_than_seconds: time since the last write to a draft, to spare running uploads.
            now: seconds since the epoch; the server's clock must be about right.
        """
        before = now - older_than_seconds
        drafts = await scan(self._client, DRAFTS)
        left = [name for name, found in drafts if is_file(found) and (found.mtime or now) < before]
        for name in left:
            await self._remove(f"{DRAFTS}{name}", f"{self._root}/{DRAFTS}{name}")
        return len(left)

    def sign_upload(self, key: str, *, seconds: float, typed: bool = True) -> UploadTarget | None:
        """None: SFTP has no URLs that let in."""
        return None

    def sign_download(self, key: str, *, seconds: float) -> str | None:
        """None: SFTP has no URLs that let in."""
        return None

    def cloudconvert(self, key: str) -> tuple[str, Mapping[str, object]] | None:
        """`export/sftp` with the user made for CloudConvert; None if there is none.

        Raises:
            ConfigError: its key is one of the archive's own, wherever that was found.
        """
        if self._options.cloudconvert_private_key:
            require_another(self._options, own_keys(self._login))
        place = self._client.place
        arguments = self._options.cloudconvert(
            place.host, place.port, place.folder, require_key(key)
        )
        return ("export/sftp", arguments) if arguments else None

    async def _remove(self, key: str, path: str) -> None:
        with suppress(NotFound):
            await self._client.call("removing", key, lambda link: remove(link, path))

    def _path(self, key: str) -> str:
        if f"{require_key(key)}/".startswith(DRAFTS):
            raise StoreError(f"{key!r} is not a key: {DRAFTS} holds files not yet whole")
        return f"{self._root}/{key}"

    def _draft(self) -> str:
        return f"{self._root}/{DRAFTS}{self._token()}"

    async def _publish(self, key: str, draft: str, path: str) -> None:
        await self._client.call(
            "writing", key, lambda link: self._folders.publish(link, draft, path)
        )

    async def _digests(self, key: str, path: str) -> Digests:
        async with original(self._client, path, key) as found:
            return await digests(found, key)


async def _copies(link: Link) -> bool:
    return link.sftp.supports_remote_copy
