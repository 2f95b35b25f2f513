"""Walking the archive's folders in order of key."""

import os
from collections import deque
from collections.abc import AsyncGenerator

import asyncssh

from export_pipeline.errors import NotFound
from export_pipeline.storage.sftp.client import SftpClient
from export_pipeline.storage.sftp.connection import Link
from export_pipeline.storage.store import StoredObject

DRAFTS = ".unfinished/"
"""Folder of files that are not whole yet, which have no keys."""

Entry = tuple[str, asyncssh.SFTPAttrs]
"""A name in a folder, and what it is."""


async def walk(client: SftpClient, prefix: str) -> AsyncGenerator[StoredObject, None]:
    """Yield the files whose key begins with `prefix`, in order of key.

    Holds one folder's names at a time for each level.
    """
    folder, slash, _ = prefix.rpartition("/")
    pending: deque[StoredObject | str] = deque([folder + slash])
    while pending:
        found = pending.popleft()
        if isinstance(found, StoredObject):
            yield found
        else:
            pending.extendleft(reversed(await _inside(client, found, prefix)))


async def scan(client: SftpClient, folder: str) -> list[Entry]:
    """Return what lies in a folder, in no order; nothing if there is no such folder.

    Args:
        folder: "" for the archive's own, or as a key that ends in "/".
    """

    async def entries(link: Link) -> list[Entry]:
        found = []
        async for entry in link.sftp.scandir(f"{client.place.folder}/{folder}"):
            link.moved()
            found.append((os.fsdecode(entry.filename), entry.attrs))
        return found

    try:
        return await client.call("listing", folder, entries)
    except NotFound:
        return []


async def _inside(client: SftpClient, folder: str, prefix: str) -> list[StoredObject | str]:
    """Return a folder's files and, as keys that end in "/", its folders, in order of key."""
    inside: dict[str, StoredObject | str] = {}
    for name, found in await scan(client, folder):
        key = f"{folder}{name}"
        if is_file(found) and key.startswith(prefix):
            inside[key] = StoredObject(key, found.size or 0)
        elif _is_below(name, found) and _overlap(f"{key}/", prefix):
            inside[f"{key}/"] = f"{key}/"
    inside.pop(DRAFTS, None)
    return [inside[key] for key in sorted(inside)]


def is_file(found: asyncssh.SFTPAttrs) -> bool:
    """Tell an object from folders, links, and whatever else an administrator left."""
    return found.type == asyncssh.FILEXFER_TYPE_REGULAR


def _is_below(name: str, found: asyncssh.SFTPAttrs) -> bool:
    return found.type == asyncssh.FILEXFER_TYPE_DIRECTORY and name not in (".", "..")


def _overlap(folder: str, prefix: str) -> bool:
    return folder.startswith(prefix) or prefix.startswith(folder)
