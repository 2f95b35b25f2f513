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

SLACK_FIELDS = {"text", "blocks", "attachments", "metadata", "unfurl_links", "unfurl_media"}
SLACK_TEXT = 4_000
"""Characters; beyond them a message is split, and code in it is shown broken."""


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
    """A running receiver. It answers `status`, with `headers`, and keeps what it took.

    Args:
        is_slack: whether it judges what is posted as an incoming webhook of Slack does.
    """

    url: str = ""
    is_slack: bool = False
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    taken: list[Post] = field(default_factory=list)
    refused: int = 0

    async def take(self, request: Request) -> Response:
        post = Post(dict(request.headers), await request.body())
        if self.is_slack and (problem := slack_problem(post)):
            self.refused += 1
            return Response(problem, 400)
        if self.status < 300:
            self.taken.append(post)
        else:
            self.refused += 1
        return Response("ok", self.status, self.headers)


def slack_problem(post: Post) -> str:
    """Slack's word for what is wrong with a message, "" for one that it takes.

    By docs.slack.dev, "Sending messages using incoming webhooks": JSON with a `text`, else it is
    `no_text`; what is not JSON is `invalid_payload`. Fields are those of its own SDK's
    `IncomingWebhookSendArguments`. Longer texts than `SLACK_TEXT` are cut into several messages.
    """
    if not post.headers.get("content-type", "").startswith("application/json"):
        return "invalid_payload"
    try:
        told = post.json
    except ValueError:
        return "invalid_payload"
    if not isinstance(told, dict) or not told.keys() <= SLACK_FIELDS:
        return "invalid_payload"
    text = told.get("text")
    if not isinstance(text, str) or not text.strip():
        return "no_text"
    return "msg_too_long" if len(text) > SLACK_TEXT else ""


@contextmanager
def running_alert_target() -> Iterator[AlertTarget]:
    """Run one on a free port; everything but the address that it tells is a 404."""
    target = AlertTarget()
    app = Starlette(routes=[Route(SECRET_PATH, target.take, methods=["POST"])])
    with running(app) as base:
        target.url = base + SECRET_PATH
        yield target
