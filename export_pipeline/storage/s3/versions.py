"""Versions of objects: listed with what keeps them, and deleted for good."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from export_pipeline.errors import NotFound, StoreError
from export_pipeline.storage.s3.client import S3Client
from export_pipeline.storage.s3.lock import lock_of
from export_pipeline.storage.xml import parse, text

AT_ONCE = 16
"""Versions looked at or deleted together."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Version:
    """One version of an object, or with `is_mark` the mark that it was deleted."""

    name: str
    id: str
    size: int
    is_mark: bool
    lock: str = ""


async def listed(client: S3Client, name: str) -> AsyncIterator[Version]:
    """Yield every version of an object, or of all below a folder; a page in memory.

    A bucket without versions has one of each object, whose id is `null`.
    """
    query = {"versions": "", "prefix": name, "encoding-type": "url"}
    while True:
        answer = await client.call(
            "ListObjectVersions", "GET", "", query=dict(sorted(query.items()))
        )
        page = parse(answer.body)
        if page is None:
            raise StoreError(f"the versions that {client.place.url} lists cannot be read")
        for found in _versions(page):
            if found.name == name or name.endswith("/"):
                yield found
        if text(page, "IsTruncated") != "true":
            return
        query["key-marker"] = unquote_plus(text(page, "NextKeyMarker"))
        query["version-id-marker"] = text(page, "NextVersionIdMarker")


def _versions(page: ET.Element) -> Iterator[Version]:
    for found in page:
        kind = found.tag.rpartition("}")[2]
        if kind in {"Version", "DeleteMarker"}:
            name = unquote_plus(text(found, "Key"))
            size = int(text(found, "Size") or 0)
            yield Version(name, text(found, "VersionId"), size, kind == "DeleteMarker")


async def looked_at(client: S3Client, name: str, now: float) -> AsyncIterator[Version]:
    """Yield every version with what keeps it; marks are kept by nothing."""

    async def look(found: Version) -> Version:
        if found.is_mark:
            return found
        try:
            answer = await client.call("HeadObject", "HEAD", found.name, query=_query(found))
        except NotFound:
            return found
        return replace(found, lock=lock_of(answer.headers, now))

    async for some in _in_groups(listed(client, name)):
        for found in await _each(look, some):
            yield found


async def erase(client: S3Client, name: str) -> int:
    """Delete every version; return how many."""

    async def delete(found: Version) -> None:
        with suppress(NotFound):
            await client.call("DeleteObjectVersion", "DELETE", found.name, query=_query(found))

    # Listed before anything goes: a page's marker may be what was just deleted.
    every = [found async for found in listed(client, name)]
    for start in range(0, len(every), AT_ONCE):
        await _each(delete, every[start : start + AT_ONCE])
    return len(every)


def _query(found: Version) -> Mapping[str, str]:
    return {"versionId": found.id}


async def _each(
    work: Callable[[Version], Awaitable[Result]], some: Sequence[Version]
) -> list[Result]:
    return await asyncio.gather(*map(work, some))


async def _in_groups(versions: AsyncIterator[Version]) -> AsyncIterator[list[Version]]:
    group: list[Version] = []
    async for one in versions:
        group.append(one)
        if len(group) == AT_ONCE:
            yield group
            group = []
    yield group
