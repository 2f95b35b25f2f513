"""What the receiver did since it started, in Prometheus's text form."""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import accumulate
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from export_pipeline.receiver.addresses import UPLOADS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
WATCHED = frozenset(["/healthz", "/metrics"])
"""Paths of those who watch the receiver, which are no vendor's requests."""
BUCKET_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0)

Labels = tuple[tuple[str, str], ...]
Samples = Iterable[tuple[Labels, float]]


class Metrics:
    """The process's own counters; labels hold no secret and no id, so that there are few."""

    def __init__(self) -> None:
        self._answers: dict[str, Counter[Labels]] = {
            "webhooks": Counter(),
            "uploads": Counter(),
            "refused": Counter(),
            "forgotten": Counter(),
        }
        self._bytes: Counter[Labels] = Counter()
        self._seconds: dict[str, list[float]] = {}
        self._buckets: dict[str, list[int]] = {}

    def count(
        self, scope: MutableMapping[str, Any], answer: int, size: int, seconds: float
    ) -> None:
        """Count one request: `size` of its body in bytes, `seconds` until its answer ended."""
        purpose = scope.get("state", {}).get("purpose")
        labels: Labels = (("answer", str(answer)),)
        if purpose is None:
            self._answers["refused"][labels] += 1
            return
        kind = "uploads" if purpose == UPLOADS else "webhooks"
        if kind == "webhooks":
            vendor = scope["path_params"].get("vendor", "")
            labels = (("vendor", vendor), ("topic", purpose), *labels)
            if scope["state"].get("forgotten"):
                self._answers["forgotten"][(("vendor", vendor), ("topic", purpose))] += 1
        self._answers[kind][labels] += 1
        self._bytes[(("kind", kind),)] += size
        self._seconds.setdefault(kind, [0.0])[0] += seconds
        buckets = self._buckets.setdefault(kind, [0] * (len(BUCKET_SECONDS) + 1))
        buckets[bisect_left(BUCKET_SECONDS, seconds)] += 1

    def render(self, gauges: Mapping[str, Samples]) -> str:
        """Return all counters and the `gauges` that the caller read, as Prometheus takes them."""
        lines: list[str] = []
        for kind, counts in self._answers.items():
            lines += _family(f"{kind}_total", "counter", counts.items())
        lines += _family("received_bytes_total", "counter", self._bytes.items())
        lines += ["# TYPE export_request_seconds histogram"]
        for kind in self._buckets:
            lines += self._histogram(kind)
        for name, samples in gauges.items():
            lines += _family(name, "gauge", samples)
        return "\n".join(lines) + "\n"

    def _histogram(self, kind: str) -> Iterator[str]:
        totals = list(accumulate(self._buckets[kind]))
        for bound, total in zip([*BUCKET_SECONDS, "+Inf"], totals, strict=True):
            labels = (("kind", kind), ("le", str(bound)))
            yield _line("request_seconds_bucket", labels, total)
        yield _line("request_seconds_sum", (("kind", kind),), self._seconds[kind][0])
        yield _line("request_seconds_count", (("kind", kind),), totals[-1])


class Measured:
    """The app with every request counted but `WATCHED`, also what it could not answer itself."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on unchanged."""
        if scope.get("path") in WATCHED:
            await self._app(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        began, size, answer = clock(), 0, 0

        async def counted_receive() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal answer
            answer = message.get("status", answer)
            await send(message)

        try:
            await self._app(scope, counted_receive, counted_send)
        finally:
            self._metrics.count(scope, answer, size, clock() - began)


def _family(name: str, kind: str, samples: Samples) -> Iterator[str]:
    yield f"# TYPE export_{name} {kind}"
    for labels, value in samples:
        yield _line(name, labels, value)


def _line(name: str, labels: Labels, value: float) -> str:
    # Words of ours only, which need no escape.
    inside = ",".join(f'{label}="{word}"' for label, word in labels)
    return f"export_{name}{{{inside}}} {value}"
