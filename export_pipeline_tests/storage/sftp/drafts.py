"""What a writer has begun, on the server's disk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from export_pipeline_tests.storage.conformance import LARGE

DRAFTS = ".unfinished"


def drafts(folder: Path) -> list[Path]:
    return list((folder / DRAFTS).glob("*"))


async def endless(folder: Path, begun: asyncio.Event) -> AsyncIterator[bytes]:
    """Tell once some of it was written."""
    while True:
        yield LARGE
        if drafts(folder):
            begun.set()
