"""The index of a target that cannot list: an object is named in it before it is written.

What lies below a bag's folder has one index, what lies higher one for each folder, and one more
names all those folders. An index is pages, the objects `.index/<parts>/<folder>/<n>` (`<parts>`
counts the folder's parts, so that no page has another's folder for its name) or, of all folders,
`.index/folders/<n>`. A page holds names, one a line. n counts from 0 without a gap.

The target may know neither conditions nor locks, and several processes write at once. So nothing
is ever read, changed and written back: **each page has one writer**, who alone knows what stands
on it and writes it whole with every name that comes. A writer is one event loop of one process.

Becoming the one writer of page n needs no more than PUT and GET. `n.claim` holds the token of who
tried last, `n.taken` exists once somebody got that far:

1. if `n.taken` is there: go on to n + 1;
2. PUT a new token to `n.claim`, once;
3. if `n.taken` is there: go on to n + 1;
4. PUT `n.taken`;
5. if `n.claim` still holds the token, the page is ours; else go on to n + 1.

A request without an answer begins at 1 again, with another token: each token is written once.
At most one gets a page (Lamport, "A Fast Mutual Exclusion Algorithm", 1987; Moir and Anderson call
it a splitter): let two pass step 5, and let the second of their tokens be written after the first.
Then the first saw its own token at step 5 before the second was written, and `n.taken` was there
by then; so the second saw it at step 3 and went on. That none gets a page does no harm. Nobody
tries page n + 1 before `n.taken` is there, so that who reads may stop at the first page not taken.

What follows, wherever a writer is killed or a connection cut:

- An object is written after the page that names it, a folder's first page after the name of that
  folder: what is there is named. A name without an object is what a crash leaves, or a deletion,
  and is passed over, since `list` looks at each object.
- A name is never taken out again: another writer may be about to rely on it.
- A page that got no answer may yet change to what was sent, or not: both have all the names that
  were promised before. It is left as it is, and what was not promised goes onto a new page.

The server must do as one, and take a PUT of a page again: each is seen whole by every GET after its
answer, by none before its last byte. Keys that begin with a dot are scratch and not indexed: what
`check` writes, and what a vendor writes that is not archived yet.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from weakref import WeakKeyDictionary

from export_pipeline.errors import StoreUnavailable
from export_pipeline.storage.http_put.client import HttpPutClient
from export_pipeline.storage.http_put.pages import Pages

FOLDER = ".index"
BAG_PARTS = 4
"""A bag's folder is `<vendor>/<account>/<scan>/<generation>/` (DESIGN.md part 7)."""
NAMES_PER_PAGE = 500
"""What is sent again with each further name: about 20 KB."""
BAGS_AT_ONCE = 32
"""Bags whose pages are read together."""
OPEN_FOLDERS = 10_000
"""Folders whose page a writer goes on with; another page of the same folder costs five requests."""
_ALL_FOLDERS = f"{FOLDER}/folders"


class Index:
    """Names of objects, by folder."""

    def __init__(self, client: HttpPutClient) -> None:
        self._pages = Pages(client)
        self._writers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Writer] = WeakKeyDictionary()

    async def add(self, key: str) -> None:
        """Name an object that is about to be written; durable on return.

        Raises:
            StoreError: it is not named, and must not be written.
        """
        if key.startswith("."):
            return
        loop = asyncio.get_running_loop()
        if loop not in self._writers:
            self._writers[loop] = _Writer(self._pages)
        folder = folder_of(key)
        await self._writers[loop].add(folder, key.removeprefix(folder))

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """Every key that was named and begins with `prefix`, in order; its object may be gone.

        In memory are the names of one bag, of the bags themselves, and of what lies above them.
        """
        found: set[str] = set()
        for folder in await self._folders(prefix):
            is_bag = folder.count("/") == BAG_PARTS
            found |= {folder} if is_bag else await self._keys_in(folder)
        bags_and_keys = sorted(found)
        for start in range(0, len(bags_and_keys), BAGS_AT_ONCE):
            some = bags_and_keys[start : start + BAGS_AT_ONCE]
            for inside in await asyncio.gather(*map(self._inside, some)):
                for key in inside:
                    if key.startswith(prefix):
                        yield key

    async def drop(self, prefix: str) -> None:
        """Remove the indexes of erased folders, to which nobody writes any more.

        That there were such folders stays in the list of all, whose pages have other writers.
        """
        for folder in await self._folders(prefix):
            if folder.startswith(prefix):
                await self._pages.remove(_place_of(folder))
                for writer in self._writers.values():
                    writer.forget(folder)

    async def _folders(self, prefix: str) -> set[str]:
        if prefix.count("/") >= BAG_PARTS:
            return {folder_of(prefix)}
        every = {"", *await self._pages.read(_ALL_FOLDERS)}
        return {one for one in every if one.startswith(prefix) or prefix.startswith(one)}

    async def _inside(self, bag_or_key: str) -> list[str]:
        return sorted(await self._keys_in(bag_or_key)) if bag_or_key.endswith("/") else [bag_or_key]

    async def _keys_in(self, folder: str) -> set[str]:
        return {folder + name for name in await self._pages.read(_place_of(folder))}


def folder_of(key: str) -> str:
    """Return the folder whose index names the key: that of its bag, or its own; "" or with a /."""
    parts = key.split("/")[:-1][:BAG_PARTS]
    return "".join(f"{part}/" for part in parts)


def _place_of(folder: str) -> str:
    return f"{FOLDER}/{folder.count('/')}/{folder}".rstrip("/")


class _Writer:
    """All pages of one event loop, which no other writes."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._folders = _Notes(pages, _ALL_FOLDERS, _nothing)
        self._open: dict[str, _Notes] = {}

    async def add(self, folder: str, name: str) -> None:
        if folder not in self._open and len(self._open) >= OPEN_FOLDERS:
            self._open.clear()
        if folder not in self._open:
            self._open[folder] = _Notes(self._pages, _place_of(folder), lambda: self._name(folder))
        await self._open[folder].add(name)

    def forget(self, folder: str) -> None:
        """Know nothing any more of a folder whose pages are gone."""
        self._open.pop(folder, None)

    async def _name(self, folder: str) -> None:
        if folder:
            await self._folders.add(folder)


async def _nothing() -> None:
    """The list of all folders need not be named: everybody knows where it is."""


class _Notes:
    """What one writer names in one folder; names that come at once share a PUT.

    Args:
        pages: where they go.
        place: of the folder's index.
        announce: names the folder itself, before its first page is taken.
    """

    def __init__(self, pages: Pages, place: str, announce: Callable[[], Awaitable[None]]) -> None:
        self._pages = pages
        self._place = place
        self._announce = announce
        self._lock = asyncio.Lock()
        self._page: int | None = None
        self._next = 0
        self._written: list[str] = []
        self._wanted: dict[str, None] = {}

    async def add(self, name: str) -> None:
        """Name it; durable on return."""
        if name in self._written:
            return
        self._wanted[name] = None
        async with self._lock:
            failures = 0
            while name in self._wanted:  # else another task's PUT took it along
                try:
                    await self._write()
                except StoreUnavailable as error:
                    failures += 1
                    await self._pages.client.retries.rest(failures, error)

    async def _write(self) -> None:
        if self._page is None or len(self._written) == NAMES_PER_PAGE:
            self._page, self._written = await self._turn(), []
        fresh = list(self._wanted)[: NAMES_PER_PAGE - len(self._written)]
        names = [*self._written, *fresh]
        page, self._page = self._page, None
        await self._pages.write(self._place, page, names)
        # Only now: without an answer the page is one that may yet change, and is left.
        self._page, self._written = page, names
        for one in fresh:
            del self._wanted[one]

    async def _turn(self) -> int:
        """Become the one writer of the next free page."""
        while True:
            self._next = await self._pages.first_free(self._place, self._next)
            if self._next == 0:
                await self._announce()
            if await self._pages.claim(self._place, self._next, secrets.token_hex(8)):
                return self._next
