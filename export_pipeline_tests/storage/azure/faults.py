"""Azurite behind a proxy that breaks connections or a gate that answers in its place."""

import asyncio
import os
from urllib.parse import urlsplit

from export_pipeline.storage.azure.open import open_store
from export_pipeline.storage.azure.store import AzureStore
from export_pipeline.storage.http import Http
from export_pipeline_tests.servers.azurite import ACCOUNT, Azurite

BLOCK_BYTES = 1024**2
DATA = os.urandom(BLOCK_BYTES * 7 // 2)
BUSY = b"<Error><Code>ServerBusy</Code><Message>Slow down.\nTime:now</Message></Error>"
BLOB = f"/{ACCOUNT}/{{}}/p/{{}}"
FAULTS = [
    {"cut_upload_at": 1},
    {"cut_upload_at": 500_000},
    {"cut_answer_at": 0},
    {"reset": True},
    {"stall_upload_at": 200_000},
]


class Pauses:
    """Does not wait, and remembers for how long it would have."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def through(
    url: str,
    azurite: Azurite,
    container: str,
    stall_seconds: float = 60.0,
    sleep: Pauses | None = None,
) -> AzureStore:
    variables = azurite.variables() | {"EXPORT_AZURE_ENDPOINT": f"{url}/{ACCOUNT}"}
    parts = urlsplit(f"az://{ACCOUNT}/{container}/p")
    return open_store(parts, variables, http=Http(stall_seconds), sleep=sleep or Pauses())
