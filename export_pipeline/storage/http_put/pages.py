"""Pages of an index, each with one writer; `index` says why and how."""

from contextlib import suppress

from export_pipeline.errors import NotFound
from export_pipeline.storage.http_put.client import HttpPutClient
from export_pipeline.storage.parts import make_part

_TEXT = {"content-type": "text/plain; charset=utf-8"}


class Pages:
    """What is read and written of an index at `place`."""

    def __init__(self, client: HttpPutClient) -> None:
        self.client = client

    async def read(self, place: str) -> set[str]:
        """Return the names on all pages."""
        names: set[str] = set()
        number = 0
        while True:
            page = await self._get(f"{place}/{number}")
            if page is None and not await self._is_taken(place, number):
                return names
            names.update((page or "").split("\n"))
            names.discard("")
            number += 1

    async def write(self, place: str, number: int, names: list[str]) -> None:
        """Write our page whole.

        Raises:
            StoreUnavailable: whether it was written is not known; it must not be written again.
        """
        await self._put_once(f"{place}/{number}", "".join(f"{name}\n" for name in names))

    async def remove(self, place: str) -> None:
        """Remove all pages, the last first, so that what is left can still be read."""
        for number in reversed(range(await self.first_free(place, 0))):
            for name in (f"{number}.taken", f"{number}.claim", f"{number}"):
                with suppress(NotFound):
                    await self.client.call("DELETE", f"{place}/{name}")

    async def first_free(self, place: str, start: int) -> int:
        """Return the first page not taken, from `start` on, in few looks at however many."""
        if not await self._is_taken(place, start):
            return start
        taken, step = start, 1
        while await self._is_taken(place, taken + step):
            taken, step = taken + step, step * 2
        free = taken + step
        while free - taken > 1:
            middle = (taken + free) // 2
            if await self._is_taken(place, middle):
                taken = middle
            else:
                free = middle
        return free

    async def claim(self, place: str, number: int, token: str) -> bool:
        """Whether a page that was free is ours now; at most one writer is ever told so.

        Args:
            token: never given before.

        Raises:
            StoreUnavailable: it may be claimed again, with another token.
        """
        claim = f"{place}/{number}.claim"
        await self._put_once(claim, token)
        if await self._is_taken(place, number):
            return False
        await self._put_once(f"{place}/{number}.taken", "")
        return await self._get(claim) == token

    async def _is_taken(self, place: str, number: int) -> bool:
        try:
            await self.client.call("HEAD", f"{place}/{number}.taken")
        except NotFound:
            return False
        return True

    async def _get(self, name: str) -> str | None:
        try:
            return (await self.client.call("GET", name)).body.decode()
        except NotFound:
            return None

    async def _put_once(self, name: str, text: str) -> None:
        await self.client.call_once("PUT", name, _TEXT, await make_part([text.encode()]))
