"""A receiver of alerts: keeps what is posted, and answers as told."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from export_pipeline_tests.servers.receiver import running

SECRET_PATH = "/services/T0000/B0000/a-secret-that-no-text-may-show"
"""As in the address of an incoming webhook of Slack, of which the path is the secret."""


@dataclass(frozen=True)
class Post:
    """One post as it came."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class AlertTarget:
    """A running receiver. It answers `status`, with `headers`, and keeps what it took."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    taken: list[Post] = field(default_factory=list)
    refused: int = 0

    async def take(self, request: Request) -> Response:
        if self.status < 300:
            self.taken.append(Post(dict(request.headers), await request.body()))
        else:
            self.refused += 1
        return Response("ok", self.status, self.headers)


@contextmanager
def running_alert_target() -> Iterator[AlertTarget]:
    """Run one on a free port; everything but the address that it tells is a 404."""
    target = AlertTarget()
    app = Starlette(routes=[Route(SECRET_PATH, target.take, methods=["POST"])])
    with running(app) as base:
        target.url = base + SECRET_PATH
        yield target
