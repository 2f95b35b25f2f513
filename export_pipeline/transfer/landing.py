"""One file brought into a folder: resumed where it broke off, named once it is verified."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from export_pipeline.errors import BadInput
from export_pipeline.transfer.folder import Folder, add_file

P = ParamSpec("P")
Result = TypeVar("Result")
Read = Callable[[int], AsyncIterator[bytes]]
"""Reads the file at its source from a byte on."""


@dataclass(frozen=True)
class Landing:
    """Where a file goes.

    Args:
        path: its name once it is whole.
        partial: its name until then, from which the next try goes on.
        damaged: its name if it arrives as something else.
    """

    path: str
    partial: str
    damaged: str


async def land(folder: Folder, to: Landing, sha256: str, read: Read) -> tuple[int, bool]:
    """Have the file in the folder; return its size in bytes and whether it was there before.

    Raises:
        BadInput: its name is taken by another file, which is left as it is, or cannot be used; or
            its source has other bytes than those of `sha256`.
        FolderError: see `Folder`.
    """
    there = await asyncio.to_thread(folder.sha256, to.path)
    if there is not None:
        if there[1] != sha256:
            raise BadInput(
                f"{folder.root / to.path} is there and is not that file: move it away, and fetch"
                " again"
            )
        return there[0], True
    size, found = await _fill(folder, to.partial, sha256, read)
    whole = found == sha256
    await asyncio.to_thread(folder.rename, to.partial, to.path if whole else to.damaged)
    if not whole:
        raise BadInput(
            f"it was sealed with sha256 {sha256} and arrived with {found}: what arrived is kept as"
            f" {folder.root / to.damaged}"
        )
    return size, False


async def _fill(folder: Folder, path: str, sha256: str, read: Read) -> tuple[int, str]:
    """Bring what is lacking; return the size in bytes and the sha256 of what is there then."""
    with folder.appending(path) as file:
        digest = hashlib.sha256()
        begun = size = await _to_its_end(add_file, file, digest.update)
        if digest.hexdigest() != sha256:
            size += await _append(file, digest, read(begun))
        if digest.hexdigest() != sha256 and begun:
            # A crash may have torn what was there: once more, from the start.
            os.ftruncate(file, 0)
            digest = hashlib.sha256()
            size = await _append(file, digest, read(0))
        await _to_its_end(os.fsync, file)
    return size, digest.hexdigest()


async def _append(file: int, digest: "hashlib._Hash", chunks: AsyncIterator[bytes]) -> int:
    size = 0
    async for chunk in chunks:
        await _to_its_end(_add, file, digest, chunk)
        size += len(chunk)
    return size


async def _to_its_end(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Run in a thread, to the end also if cancelled: else it writes to what is closed meanwhile."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    finally:
        await asyncio.wait([running])


def _add(file: int, digest: "hashlib._Hash", chunk: bytes) -> None:
    digest.update(chunk)
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(file, rest) :]
