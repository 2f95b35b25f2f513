"""The gate behind a proxy that breaks connections, or behind one that answers in its place."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import Message, Receive, Scope, Send

from export_pipeline.storage.gcs.open import open_store
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline.storage.http import Http
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.servers.gcs_gate import GcsGate

PART_BYTES = 5 * 1024**2
DATA = os.urandom(PART_BYTES * 5 // 2)
Scripted = tuple[int, dict[str, str], bytes]
FAULTS = [
    {"cut_upload_at": 1},
    {"cut_upload_at": 1_000_000},
    {"cut_answer_at": 0},
    {"reset": True},
    {"stall_upload_at": 200_000},
]


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


def through(
    url: str,
    gcs: Gcs,
    bucket: str,
    stall_seconds: float = 60.0,
    sleep: Callable[[float], Awaitable[None]] = at_once,
) -> GcsStore:
    variables = gcs.variables() | {"EXPORT_GCS_ENDPOINT": url}
    parts = urlsplit(f"gs://{bucket}/p")
    return open_store(parts, variables, http=Http(stall_seconds), sleep=sleep)


async def during(ranges: list[str], act: Callable[[], None]) -> AsyncIterator[bytes]:
    """The data, and an act of somebody else's while its first parts are on their way."""
    yield DATA[: PART_BYTES * 2 + 1]
    while not ranges:  # noqa: ASYNC110  what it waits for happens in another thread
        await asyncio.sleep(0.01)
    act()
    yield DATA[PART_BYTES * 2 + 1 :]


def refused(status: int, reason: str, message: str = "Told.", **headers: str) -> Scripted:
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return status, named, json.dumps({"error": error}).encode()


@dataclass
class Cutting:
    """Before the gate: of the first part only so many bytes arrive, and nobody says how many."""

    gate: GcsGate
    left: int
    is_over: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if self.is_over or scope.get("method") != "PUT":
            await self.gate(scope, receive, send)
            return

        async def cut() -> Message:
            if not self.left:
                return {"type": "http.disconnect"}
            message = await receive()
            body = message["body"][: self.left]
            self.left -= len(body)
            return {**message, "body": body}

        await self.gate(scope, cut, send)
        self.is_over = True
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})
