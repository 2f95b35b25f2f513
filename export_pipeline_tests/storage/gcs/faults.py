"""Google behind a proxy that breaks connections, or behind a gate that answers in its place."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from starlette.types import Message, Receive, Scope, Send

from export_pipeline.storage.gcs.open import open_store
from export_pipeline.storage.gcs.store import GcsStore
from export_pipeline.storage.http import Http
from export_pipeline_tests.servers.faults import Answer
from export_pipeline_tests.servers.gcs import Gcs
from export_pipeline_tests.servers.gcs_gate import GcsGate
from export_pipeline_tests.storage.fault_conformance import LARGE
from export_pipeline_tests.storage.upstream import PATIENT_SECONDS, Sleep, at_once

PART_BYTES = 2 * 1024**2


@dataclass(frozen=True)
class GcsUpstream:
    """See `Upstream`."""

    server: Gcs
    bucket: str

    @property
    def url(self) -> str:
        return self.server.url

    def store(
        self, url: str, *, stall_seconds: float = PATIENT_SECONDS, sleep: Sleep = at_once
    ) -> GcsStore:
        variables = self.server.variables() | {"EXPORT_GCS_ENDPOINT": url}
        parts = urlsplit(f"gs://{self.bucket}/p")
        return open_store(parts, variables, http=Http(stall_seconds), sleep=sleep)

    def write(self, key: str, data: bytes) -> None:
        self.server.write(self.bucket, f"p/{key}", data)

    def unfinished(self) -> list[str]:
        return ["an upload"] * self.server.gate.sessions.under_way(self.bucket)

    def described(self, key: str) -> Answer:
        """The answer to a write of what is there; an empty one if there is nothing."""
        try:
            found = self.server.describe(self.bucket, f"p/{key}")
        except httpx.HTTPStatusError:
            return 200, {}, b""
        return 200, {}, json.dumps(found).encode()


async def during(ranges: list[str], act: Callable[[], None]) -> AsyncIterator[bytes]:
    """The data, and an act of somebody else's while its first parts are on their way."""
    yield LARGE[: PART_BYTES * 2 + 1]
    while not ranges:  # noqa: ASYNC110  what it waits for happens in another thread
        await asyncio.sleep(0.01)
    act()
    yield LARGE[PART_BYTES * 2 + 1 :]


def refused(status: int, reason: str, message: str = "Told.", **headers: str) -> Answer:
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return status, named, json.dumps({"error": error}).encode()


@dataclass
class Cutting:
    """Before the gate: of the first parts so many bytes arrive, and nobody says how many.

    Not the proxy: bytes that it passed on may be lost with the connection that it resets.
    """

    gate: GcsGate
    size: int
    times: int = 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        is_empty = (b"content-length", b"0") in scope.get("headers", ())
        if scope.get("method") != "PUT" or is_empty or not self.times:
            await self.gate(scope, receive, send)
            return
        self.times -= 1
        left = self.size

        async def cut() -> Message:
            nonlocal left
            if not left:
                return {"type": "http.disconnect"}
            message = await receive()
            body = message["body"][:left]
            left -= len(body)
            return {**message, "body": body}

        await self.gate(scope, cut, send)
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})
