"""What every storage backend must offer; nothing above asks which one it has."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

CHUNK_BYTES = 1 << 20
"""Size of the pieces in which bytes are read and written, in bytes."""


@dataclass(frozen=True)
class UploadTarget:
    """Where somebody else may write one object: verb, URL and every header to send with it.

    URL and headers carry authority: never log them.
    """

    verb: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class StoredObject:
    """An object as the store describes it.

    Args:
        key: the key below the store's prefix.
        size: in bytes.
        checksum: the store's own checksum as `<algorithm>:<value>`, None where it has none.
    """

    key: str
    size: int
    checksum: str | None = None


@dataclass(frozen=True)
class StoredVersion:
    """One version of an object: the current one, one kept from before, or a mark of its deletion.

    Args:
        key: the key below the store's prefix.
        size: in bytes; 0 of a mark.
        lock: what the store keeps it by, and until when, in words; "" if nothing is known to.
    """

    key: str
    size: int
    lock: str = ""


@dataclass(frozen=True)
class Capabilities:
    """What the configured store (not its class) can do.

    Args:
        create_only: the store itself refuses a second write. If not, `put` and `copy` look first,
            vendors write through the receiver alone, and writers hold a lease (`receiver/guard`).
        signs_uploads: `sign_upload` returns URLs; never without `create_only`. Credentials that
            are yet to be looked for are taken to sign: nothing here needs them.
        signs_downloads: `sign_download` returns URLs.
        lists: `list` finds everything.
        checksums: `stat` tells a checksum of the store's own.
        part_bytes: what is larger is written in parts, which become visible by another call than
            `put` of less, one that `copy` uses too: `check` proves it create-only by itself; 0
            where all is written by the same.
        needs_folders: whoever writes by other means than `put` finds no folder, unless it was made.
        cautions: what makes it less safe than it could be, for `check` to say.
    """

    create_only: bool
    signs_uploads: bool
    signs_downloads: bool
    lists: bool
    checksums: bool = False
    part_bytes: int = 0
    needs_folders: bool = False
    cautions: tuple[str, ...] = ()


class Store(Protocol):
    """One configured storage backend. Keys are `/`-separated, relative to its prefix.

    Every method raises a `StoreError` in words: `AccessDenied`, `StoreFull`, `StoreUnavailable`.
    """

    @property
    def url(self) -> str:
        """Where the archive lies, safe to print."""

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do as configured."""

    async def put(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str | None = None
    ) -> StoredObject:
        """Write one new object durably; nothing is visible under `key` before it is whole.

        Raises:
            AlreadyExists: something is there already; it is left as it is.
        """

    async def stat(self, key: str) -> StoredObject | None:
        """Describe the object, None if there is none."""

    def open(self, key: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        """Read the object in pieces of about `CHUNK_BYTES` from byte `offset`.

        Raises:
            NotFound: there is no such object.
        """

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Every whole object whose key begins with `prefix`, in order of key.

        On a few S3 look-alikes (SeaweedFS) a folder `a/` comes before `a-b`; what lies in one
        folder comes together everywhere.
        """

    async def copy(self, source: str, target: str) -> StoredObject:
        """Copy create-only inside the store, without the bytes passing here where it can.

        Raises:
            NotFound: no object at `source`.
            AlreadyExists: an object at `target`.
        """

    async def delete(self, key: str) -> None:
        """Remove the object; absent already is fine."""

    def versions(self, key: str) -> AsyncIterator[StoredVersion]:
        """Every version that the store keeps of an object, or of all below a folder (`a/`)."""

    async def erase(self, key: str) -> int:
        """Remove an object for good, or all below a folder (`a/`); return how many versions.

        Every version goes, and every mark of a deletion; where the store keeps none (`Versionless`
        in `storage/versions.py`), that is what `delete` does. Nothing there is fine.

        Raises:
            AccessDenied: the store keeps one of them (see `versions`); others may be gone.
        """

    async def sweep(self, older_than_seconds: float, now: float) -> int:
        """Remove what crashed writers left, which is under no key; return how many.

        Args:
            older_than_seconds: age of a leftover, to spare uploads that run.
            now: seconds since the epoch.
        """

    def sign_upload(self, key: str, *, seconds: float, typed: bool = True) -> UploadTarget | None:
        """A create-only upload of this one object for `seconds`; None if the store signs none.

        Args:
            typed: a content type that is set for every object is signed too, and no other taken;
                False for those that may send one of their own: it is handed out unsigned.
        """

    def sign_download(self, key: str, *, seconds: float) -> str | None:
        """A URL that reads this one object for `seconds`, None if the store cannot sign."""

    def cloudconvert(self, key: str) -> tuple[str, Mapping[str, object]] | None:
        """The CloudConvert export operation and arguments that write `key`, None if none does."""


async def pieces(data: bytes | Sequence[bytes]) -> AsyncIterator[bytes]:
    """Offer bytes at hand as the stream that `Store.put` takes."""
    for piece in [data] if isinstance(data, bytes) else data:
        yield piece
