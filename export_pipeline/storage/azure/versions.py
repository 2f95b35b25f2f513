"""Versions and snapshots of blobs: listed with what keeps them, and deleted for good."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree as ET

from export_pipeline.errors import NotFound, StoreError
from export_pipeline.storage.azure.client import AzureClient
from export_pipeline.storage.xml import parse, text

AT_ONCE = 16
"""Versions deleted together."""
PAGE = 1_000
"""Blobs in one page of a list; Azure gives up to 5,000."""
ROUNDS = 5
"""A blob, the version that it becomes, and what a vendor writes meanwhile."""
_INCLUDE = "immutabilitypolicy,legalhold,snapshots,versions"


@dataclass(frozen=True)
class Version:
    """A blob, or a version or snapshot of one.

    Args:
        name: of the blob.
        query: names the version or snapshot; empty of the blob itself.
        size: in bytes.
        lock: in words by what it is kept, "" if by nothing.
    """

    name: str
    query: Mapping[str, str]
    size: int
    lock: str


async def listed(client: AzureClient, name: str, now: float) -> AsyncIterator[Version]:
    """Yield all that is kept of a blob, or of all below a folder; a page in memory."""
    query = {"comp": "list", "include": _INCLUDE, "maxresults": str(PAGE), "prefix": name}
    query["restype"] = "container"
    while True:
        answer = await client.call("ListBlobs", "GET", "", query=query)
        page = parse(answer.body)
        if page is None:
            raise StoreError(f"the versions that {client.place.container!r} lists cannot be read")
        for found in page.iterfind("Blobs/Blob"):
            is_asked_for = text(found, "Name") == name or name.endswith("/")
            # A hierarchical account lists its folders too, which stay.
            if is_asked_for and text(found, "Properties/ResourceType") != "directory":
                yield _version(found, now)
        query["marker"] = text(page, "NextMarker")
        if not query["marker"]:
            return


def _version(found: ET.Element, now: float) -> Version:
    snapshot, version = text(found, "Snapshot"), text(found, "VersionId")
    is_old = version and text(found, "IsCurrentVersion") != "true"
    query = {"snapshot": snapshot} if snapshot else {"versionid": version} if is_old else {}
    size = int(text(found, "Properties/Content-Length") or 0)
    return Version(text(found, "Name"), query, size, _lock(found, now))


def _lock(found: ET.Element, now: float) -> str:
    until = text(found, "Properties/ImmutabilityPolicyUntilDate")
    is_retained = until and parsedate_to_datetime(until).replace(tzinfo=UTC).timestamp() > now
    is_held = text(found, "Properties/LegalHold") == "true"
    return " and ".join(
        [
            *(["a legal hold"] if is_held else []),
            *([f"an immutability policy until {until}"] if is_retained else []),
        ]
    )


async def erase(client: AzureClient, name: str, now: float) -> int:
    """Delete all that is kept of it, the blobs themselves first; return how many.

    Where versions are on, a blob deleted without naming one becomes a version: so each is named,
    and what is left of the list after the first round is deleted in the next.
    """
    erased = 0
    for _ in range(ROUNDS):
        every = [found async for found in listed(client, name, now)]
        if not every:
            return erased
        every.sort(key=lambda found: bool(found.query))
        for start in range(0, len(every), AT_ONCE):
            some = every[start : start + AT_ONCE]
            await asyncio.gather(*[_delete(client, found) for found in some])
        erased = max(erased, len(every))
    raise StoreError(f"{client.place.named(name)}: it is written to again and again")


async def _delete(client: AzureClient, found: Version) -> None:
    headers = {} if found.query else {"x-ms-delete-snapshots": "include"}
    action = "DeleteBlobVersion" if "versionid" in found.query else "DeleteBlob"
    try:
        await client.call(action, "DELETE", found.name, query=dict(found.query), headers=headers)
    except NotFound:
        return
