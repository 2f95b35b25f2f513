"""Fetch: sealed bags copied from the store into a folder of this machine, verified on the way."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from unicodedata import normalize

from export_pipeline.archive.bag import read_all
from export_pipeline.archive.layout import PAYLOAD_FOLDER, SEAL_NAME, seal_key
from export_pipeline.archive.signature import SIGNATURE_NAME
from export_pipeline.archive.tags import MANIFEST_NAME, read_manifest
from export_pipeline.concurrency import concurrently
from export_pipeline.errors import BadInput, NotFound, StoreError
from export_pipeline.storage.keys import require_key
from export_pipeline.storage.store import Store
from export_pipeline.transfer.folder import Folder
from export_pipeline.transfer.landing import Landing, land

BAGS_AT_ONCE = 4
FILES_AT_ONCE = 4
"""Of each bag: so 16 files are read at once, each a piece at a time."""
PARTIAL = ".partial"
DAMAGED = ".damaged"
"""Ends of the names of the folders beside a bag's: of what is on its way, of what came changed."""
ONE_NAME = (
    "; another file of this bag has the same name but for capitals: fetch to a file system that"
    " tells them apart"
)


@dataclass(frozen=True)
class WantedBag:
    """A sealed bag as it is known before it is fetched.

    Args:
        prefix: its folder in the store.
        bytes: of its payload, about.
        seal_sha256: digest of its seal as the ledger has it, "" where that is not known.
    """

    prefix: str
    bytes: int
    seal_sha256: str = ""


@dataclass
class Fetched:
    """What is in the folder so far of the bags asked for.

    Args:
        bags: how many are there whole.
        files: how many files are.
        bytes: how many bytes those have.
        kept: how many of the files were there before.
        failed: the bags that are not there whole.
        problems: what is wrong, a sentence each.
    """

    bags: int = 0
    files: int = 0
    bytes: int = 0
    kept: int = 0
    failed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def fetch(
    store: Store, folder: Folder, bags: AsyncIterable[WantedBag], told: Callable[[int], None]
) -> Fetched:
    """Copy the bags into the folder, each to the path that it has in the store.

    A file has its name only once it is whole and has the sha256 under which it was sealed, the
    seal comes last. What is there already is kept, what was begun goes on after its last byte; what
    comes changed is put beside the bag. Nothing is copied that the seal does not vouch for.

    Args:
        told: called with the number of bytes whenever more are there.

    Raises:
        FolderError: the folder takes no more; what is there stays for the next try.
    """
    total = Fetched()

    async def one(bag: WantedBag) -> None:
        try:
            problems = await _Fetch(store, folder, bag, total, told).run()
        except (BadInput, StoreError) as error:
            problems = {"": str(error)}
        total.problems += [f"{bag.prefix}{path}: {text}" for path, text in problems.items()]
        total.failed += [bag.prefix] if problems else []
        total.bags += not problems

    async for _ in concurrently(one, bags, BAGS_AT_ONCE):
        pass
    return total


class _Fetch:
    """One bag on its way; `total` counts its files."""

    def __init__(
        self,
        store: Store,
        folder: Folder,
        bag: WantedBag,
        total: Fetched,
        told: Callable[[int], None],
    ) -> None:
        self._store = store
        self._folder = folder
        self._bag = bag
        self._prefix = bag.prefix
        self._total = total
        self._told = told
        self._known: set[str] = set()

    async def run(self) -> dict[str, str]:
        """Bring it; return what is wrong, by path below the bag.

        Raises:
            BadInput: its seal cannot be read, or is another than it was.
            StoreError: it has no seal, or the store failed.
        """
        ends = await self._ends()
        tags = read_manifest(ends[SEAL_NAME], SEAL_NAME)
        problems = await self._bring_all(tags)
        problems |= await self._bring_payload(tags, problems)
        problems = problems or self._foreign()
        for name, data in ends.items():
            problems = problems or await self._bring_all({name: _sha256(data)})
        await asyncio.to_thread(self._folder.prune, self._beside(PARTIAL))
        return problems

    async def _ends(self) -> dict[str, bytes]:
        """What comes last and nothing vouches for: the signature, if there is one, and the seal."""
        seal = await read_all(self._store, seal_key(self._prefix))
        if self._bag.seal_sha256 not in ("", _sha256(seal)):
            raise BadInput(f"{SEAL_NAME} is not the seal that the ledger recorded")
        try:
            signature = await read_all(self._store, self._prefix + SIGNATURE_NAME)
        except NotFound:
            return {SEAL_NAME: seal}
        return {SIGNATURE_NAME: signature, SEAL_NAME: seal}

    async def _bring_payload(
        self, tags: Collection[str], problems: Collection[str]
    ) -> dict[str, str]:
        if MANIFEST_NAME not in tags:
            return {SEAL_NAME: f"it does not vouch for {MANIFEST_NAME}"}
        if MANIFEST_NAME in problems:
            return {}
        # A bag without files has this folder all the same (RFC 8493 part 2.1.2).
        self._folder.make(self._prefix + PAYLOAD_FOLDER.rstrip("/"))
        manifest = self._folder.read(self._prefix + MANIFEST_NAME)
        try:
            return await self._bring_all(read_manifest(manifest, MANIFEST_NAME))
        except BadInput as error:
            return {MANIFEST_NAME: str(error)}

    async def _bring_all(self, digests: Mapping[str, str]) -> dict[str, str]:
        """Bring files by path and sha256; return path -> what is wrong."""
        names = Counter(map(_folded, digests))

        async def bring(path: str) -> tuple[str, str]:
            try:
                await self._bring(path, digests[path])
            except (BadInput, StoreError) as error:
                return path, f"{error}{ONE_NAME if names[_folded(path)] > 1 else ''}"
            return path, ""

        found = concurrently(bring, _each(digests), FILES_AT_ONCE)
        self._known.update(digests)
        return {path: problem async for path, problem in found if problem}

    async def _bring(self, path: str, sha256: str) -> None:
        key = self._prefix + require_key(path)
        to = Landing(key, self._beside(PARTIAL, path), self._beside(DAMAGED, path))
        size, was_there = await land(self._folder, to, sha256, partial(self._read, key))
        if was_there:
            self._told(size)
        self._total.files += 1
        self._total.bytes += size
        self._total.kept += was_there

    async def _read(self, key: str, offset: int) -> AsyncIterator[bytes]:
        self._told(offset)
        async for chunk in self._store.open(key, offset=offset):
            self._told(len(chunk))
            yield chunk

    def _foreign(self) -> dict[str, str]:
        """What lies in the bag's folder and makes it another bag."""
        there = self._folder.files(self._prefix.rstrip("/"))
        reason = "it is not of this bag: move it away, and fetch again"
        return dict.fromkeys(sorted(there - self._known - {SEAL_NAME, SIGNATURE_NAME}), reason)

    def _beside(self, end: str, path: str = "") -> str:
        return f"{self._prefix.rstrip('/')}{end}{'/' if path else ''}{path}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _folded(path: str) -> str:
    """What is one name to file systems that take capitals for small letters."""
    return normalize("NFC", path).casefold()


async def _each(paths: Iterable[str]) -> AsyncIterator[str]:
    for path in paths:
        yield path
