"""Pulling a file from a link that may break or die on the way: resumed, and verified whole."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from export_pipeline.errors import StoreError
from export_pipeline.storage.http import Http

TRIES = 5
"""Answers that bring not one byte, in a row, before a pull is given up."""
LINKS = 3
"""Links that bring not one byte, in a row, before they are called dead."""
REDIRECTS = 5
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
_DEAD = frozenset({400, 401, 403, 404, 410})
"""What file hosts answer to a link that ended: S3 403, or 400 if the credentials that signed it
ended, Swift's TempURL 401, others 404 or 410.
"""
_PACKINGS = frozenset({"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"})
"""Content codings (RFC 9110, 8.4.1) after which the bytes are not those of the file. Hosts write
other words there too, that change nothing: S3 keeps `aws-chunked` of an upload.
"""
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")

Locate = Callable[[], Awaitable[str]]
"""Returns a link; asked again when the one before ended."""


class PullError(Exception):
    """A file could not be pulled; the text never holds the link."""


class LinkBroken(PullError):
    """The host gave no whole answer, time after time: it may later."""


class LinkDead(PullError):
    """The host refuses the link, and those that came after it."""


class FileChanged(PullError):
    """The file is another one than when it was begun, or not as large as it was said to be."""


@dataclass(frozen=True)
class Pulled:
    """A file on its way.

    Args:
        headers: of the first answer, names in lower case.
        chunks: all bytes of the file; raises a `PullError` if they cannot all be had.
    """

    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes] = field(repr=False)


@asynccontextmanager
async def pull(
    http: Http,
    locate: Locate,
    *,
    size: int | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[Pulled]:
    """Begin to read a file; no credential and no cookie is ever sent to its host.

    Args:
        http: sends the requests.
        locate: returns the link, and a new one where that ended.
        size: of the file in bytes, where the vendor told it.
        sleep: waits before another try, in seconds.

    Raises:
        PullError: the host does not give the file.
    """
    reading = _Reading(http, locate, size, sleep)
    async with aclosing(reading.chunks()) as chunks:
        # The first piece is read here, so that the headers are known before the rest is asked for.
        first = await anext(chunks, b"")
        yield Pulled(reading.headers, _chained(first, chunks))


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for chunk in rest:
        yield chunk


class _Reading:
    """One file, from its first byte to its last, over as many answers as it takes."""

    def __init__(
        self,
        http: Http,
        locate: Locate,
        size: int | None,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._http = http
        self._locate = locate
        self._sleep = sleep
        self._size = size
        self._position = 0
        self._link = ""
        self._links = 0
        self.headers: Mapping[str, str] = {}

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield every byte once."""
        failures = 0
        while True:
            before = self._position
            try:
                async with self._get(await self._current_link()) as response:
                    headers = {name.lower(): value for name, value in response.headers.items()}
                    skip = self._begin(response.status, headers)
                    async for chunk, _ in response.content.iter_chunks():
                        rest = chunk[skip:]
                        skip -= len(chunk) - len(rest)
                        if rest:
                            self._position += len(rest)
                            yield rest
            except (StoreError, _Unavailable) as error:
                failures += 1
                if self._position > before:
                    failures = self._links = 0
                await self._rest(failures, error)
            else:
                self._require_whole()
                return

    async def _rest(self, failures: int, error: Exception) -> None:
        if failures >= TRIES:
            raise LinkBroken(str(error)) from None
        await self._sleep(_pause(failures))

    async def _current_link(self) -> str:
        if not self._link:
            if self._links == LINKS:
                raise LinkDead(f"the host refused {LINKS} links one after the other")
            self._links += 1
            self._link = await self._locate()
        return self._link

    @asynccontextmanager
    async def _get(self, link: str) -> AsyncIterator[aiohttp.ClientResponse]:
        for _ in range(REDIRECTS):
            if not _is_address(link):
                raise LinkDead("it leads to no http or https address")
            async with self._request(link) as response:
                if response.status not in _REDIRECT:
                    yield response
                    return
                link = _joined(link, response.headers.get("Location", ""))
        raise LinkDead(f"it redirects more than {REDIRECTS} times")

    def _request(self, link: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {"Accept-Encoding": "identity"}
        if self._position:
            headers["Range"] = f"bytes={self._position}-"
        return self._http.answering("GET", link, headers)

    def _begin(self, status: int, headers: Mapping[str, str]) -> int:
        """Check that an answer goes on where the last one ended; return the bytes to skip."""
        if status in _DEAD:
            self._link = ""
            raise _Unavailable(f"the host answers {status} to the link")
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise FileChanged(f"it ends before byte {self._position}, up to which it was read")
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            raise _Unavailable(f"the host answers {status}")
        start, total = _extent(status, headers)
        if status == HTTPStatus.PARTIAL_CONTENT and start != self._position:
            raise _Unavailable("the host answers with another range than was asked for")
        if _PACKINGS & set(re.split(r"[,\s]+", headers.get("content-encoding", "").lower())):
            raise _Unavailable("the host sends the file packed, though it is asked not to")
        self._require_same(headers, total)
        return self._position - start

    def _require_same(self, headers: Mapping[str, str], total: int | None) -> None:
        if self._size is not None and total not in (None, self._size):
            raise FileChanged(f"it has {total} bytes and should have {self._size}")
        if self._position and _validator(headers) != _validator(self.headers):
            raise FileChanged("it was replaced while it was read")
        self._size = total if self._size is None else self._size
        self.headers = self.headers or headers

    def _require_whole(self) -> None:
        if self._size is not None and self._position != self._size:
            raise FileChanged(f"{self._position} bytes came and {self._size} should have")


class _Unavailable(Exception):
    """An answer that another try may better."""


def _is_address(link: str) -> bool:
    try:
        url = URL(link)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(url.host)


def _joined(link: str, to: str) -> str:
    """Where a redirect leads; "" if to no address."""
    try:
        return urljoin(link, to)
    except ValueError:
        return ""


def _extent(status: int, headers: Mapping[str, str]) -> tuple[int, int | None]:
    """Where an answer's bytes begin, and how many the whole file has, None if it is not said."""
    if status == HTTPStatus.PARTIAL_CONTENT:
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        return (int(found[1]), int(found[2])) if found else (-1, None)
    length = headers.get("content-length", "")
    return 0, int(length) if length.isdigit() else None


def _validator(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    return headers.get("etag"), headers.get("last-modified")


def _pause(failures: int) -> float:
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * float(2**failures))
