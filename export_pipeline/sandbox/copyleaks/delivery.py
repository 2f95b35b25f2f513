"""Copyleaks's outgoing calls: artifacts to their endpoints, webhooks to their receivers."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
from yarl import URL

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.copyleaks import artifacts, webhooks
from export_pipeline.sandbox.copyleaks.options import CopyleaksOptions
from export_pipeline.sandbox.copyleaks.orders import ExportOrder, Target
from export_pipeline.sandbox.copyleaks.scans import (
    CORRUPT_FIRST,
    DOUBLE_COMPLETED,
    DOUBLE_COMPLETION,
    LOST_ANSWER,
    NO_COMPLETED,
    NO_COMPLETION,
    SLOW,
    Scan,
)
from export_pipeline.sandbox.copyleaks.stats import Stats

CALLS_IN_FLIGHT = 64
# FACTS 1.6: an answer must come within 70 seconds.
ANSWER_SECONDS = 70
# The vendor's webhook schedule is not documented; this many tries end within minutes.
WEBHOOK_TRIES = 8
MAX_BACKOFF_FACTOR = 60
SUCCESS_CLASS = 2
SLOW_FACTOR = 5

Json = dict[str, Any]
Headers = Sequence[tuple[str, str]]


class Delivery:
    """Delivers orders and webhooks over one shared session; `close` ends it."""

    def __init__(self, clock: Clock, options: Callable[[], CopyleaksOptions], stats: Stats) -> None:
        self._clock = clock
        self._options = options
        self._stats = stats
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CALLS_IN_FLIGHT),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "Copyleaks"},
        )
        # Bytes are made only once a call may begin, so that waiting ones cost no memory.
        self._calls = asyncio.Semaphore(CALLS_IN_FLIGHT)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def export(self, scan: Scan, order: ExportOrder, failing: set[str]) -> None:
        """Deliver all artifacts but the `failing` ones, then send the completion webhook."""
        await self._work(scan)
        tasks = await asyncio.gather(
            *(self._task(scan, order, target, failing) for target in order.targets)
        )
        if scan.has(NO_COMPLETION):
            return
        body = webhooks.export_completed(order.developer_payload, tasks)
        for _ in range(2 if scan.has(DOUBLE_COMPLETION) else 1):
            if await self.webhook(order.completion_webhook, order.completion_headers, body):
                self._stats.completions_sent += 1

    async def completed(self, scan: Scan) -> None:
        """Send the scan's `completed` webhook as its traits have it."""
        if scan.has(NO_COMPLETED):
            return
        for _ in range(2 if scan.has(DOUBLE_COMPLETED) else 1):
            await self.send_completed(scan)

    async def send_completed(self, scan: Scan) -> None:
        """Send the scan's `completed` webhook once, if it has a URL."""
        if scan.spec.status_url is None:
            return
        url = webhooks.status_url(scan.spec.status_url, "completed")
        if await self.webhook(url, scan.spec.status_headers, webhooks.completed(scan)):
            self._stats.completed_sent += 1

    async def webhook(self, url: str, headers: Headers, body: Json | None) -> bool:
        """POST until a 2xx or the tries are spent; True if it was taken."""
        content = b"" if body is None else json.dumps(body).encode()
        for attempt in range(WEBHOOK_TRIES):
            await self._back_off(attempt)
            async with self._calls:
                status = await self._send("POST", url, headers, content, "application/json")
            if _is_success(status):
                return True
        self._stats.webhooks_given_up += 1
        return False

    async def _task(
        self, scan: Scan, order: ExportOrder, target: Target, failing: set[str]
    ) -> Json:
        status = None
        if target.artifact not in failing:
            status = await self._deliver(scan, target, order.max_retries)
        healthy = status is not None
        return {"endpoint": target.endpoint, "isHealthy": healthy, "httpStatusCode": status}

    async def _deliver(self, scan: Scan, target: Target, tries: int) -> int | None:
        answers_are_lost = scan.has(LOST_ANSWER, target.artifact)
        for attempt in range(tries):
            await self._back_off(attempt)
            self._stats.uploads_retried += attempt > 0
            status = await self._upload(scan, target)
            if _is_success(status) and not answers_are_lost:
                return status
        return None

    async def _upload(self, scan: Scan, target: Target) -> int | None:
        async with self._calls:
            content = self._content(scan, target.artifact)
            kind = artifacts.content_type(target.artifact)
            headers = self._upload_headers(target.headers)
            status = await self._send(target.verb, target.endpoint, headers, content, kind)
        self._stats.uploads_sent += 1
        self._stats.upload_bytes += len(content)
        self._stats.uploads_refused += not _is_success(status)
        return status

    def _upload_headers(self, given: Headers) -> Headers:
        is_own = self._options().upload_type == "own"
        return [one for one in given if not (is_own and one[0].lower() == "content-type")]

    def _content(self, scan: Scan, artifact: str) -> bytes:
        size = scan.spec.sizes.get(artifact.partition("/")[0])
        content = artifacts.artifact_bytes(scan.spec.id, artifact, size)
        scan.sent[artifact] += 1
        if scan.sent[artifact] == 1 and scan.has(CORRUPT_FIRST, artifact):
            return content[: len(content) // 2]
        return content

    async def _send(
        self, verb: str, url: str, headers: Headers, content: bytes, content_type: str
    ) -> int | None:
        """The status answered, None if no answer came."""
        given = {name.lower() for name, _ in headers}
        default = [] if "content-type" in given else [("Content-Type", content_type)]
        try:
            async with self._session.request(
                verb,
                # A signed URL must go out byte for byte as it came.
                URL(url, encoded=True),
                headers=[*default, *headers],
                data=content,
                allow_redirects=False,
            ) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    async def _work(self, scan: Scan) -> None:
        factor = SLOW_FACTOR if scan.has(SLOW) else 1
        await self._clock.sleep(self._options().limits.work_seconds * factor)

    async def _back_off(self, attempt: int) -> None:
        if attempt:
            factor = min(2.0 ** (attempt - 1), MAX_BACKOFF_FACTOR)
            await self._clock.sleep(self._options().limits.backoff_seconds * factor)


def _is_success(status: int | None) -> bool:
    return status is not None and status // 100 == SUCCESS_CLASS
