"""The one address to which alerts are posted: a webhook, or one of Slack."""

import asyncio
import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from export_pipeline.errors import ConfigError
from export_pipeline.settings import Settings
from export_pipeline.vendors.retry_after import retry_after_seconds
from export_pipeline.workflow.alerting.messages import body

SLACK_HOST = "hooks.slack.com"
POST_SECONDS = 30.0
SECRET_PREFIX = "whsec_"  # noqa: S105  what it begins with
KEY_BYTES = 24
"""The least that Standard Webhooks 1.0 allows."""


@dataclass(frozen=True)
class Refusal:
    """Why the address did not take a message, and how many seconds it asks to be spared."""

    problem: str
    retry_after: float = 0.0


@dataclass(frozen=True)
class Address:
    """Where alerts go.

    Args:
        url: a secret as a whole: whoever knows one of Slack's can post.
        is_slack: whether it takes Slack's form.
        key: signs what is posted (Standard Webhooks 1.0); None: it is not signed.
    """

    url: str = field(repr=False)
    is_slack: bool
    key: bytes | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """What may be told of it."""
        return urlsplit(self.url).hostname or ""

    async def post(
        self, http: httpx.AsyncClient, name: str, message: dict[str, Any], now: float
    ) -> Refusal | None:
        """Post a message; None once it is taken.

        Args:
            http: follows no redirect: it would take the secret along.
            name: of the message, the same at every try.
            message: see `messages`.
            now: seconds since the epoch.
        """
        content = body(message)
        headers = {"Content-Type": "application/json", **self._signature(name, content, now)}
        try:
            async with (
                asyncio.timeout(POST_SECONDS),
                http.stream("POST", self.url, content=content, headers=headers) as answer,
            ):
                # Its body says nothing that matters, and may be of any length.
                return self._refusal(answer, now)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            # Its text may quote the URL.
            return Refusal(f"{self.host} cannot be reached ({type(error).__name__})")

    def _refusal(self, answer: httpx.Response, now: float) -> Refusal | None:
        if answer.is_success:
            return None
        pause = retry_after_seconds(answer.headers.get("Retry-After"), now=now)
        return Refusal(f"{self.host} answers {answer.status_code}", pause or 0.0)

    def _signature(self, name: str, content: bytes, now: float) -> dict[str, str]:
        moment = str(int(now))
        headers = {"webhook-id": name, "webhook-timestamp": moment}
        if self.key is not None:
            signed = b".".join([name.encode(), moment.encode(), content])
            digest = hmac.new(self.key, signed, hashlib.sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers


def find_address(settings: Settings) -> Address | None:
    """The address that is set, None if none is.

    Raises:
        ConfigError: it is no web address, or its key is none.
    """
    if settings.alert_url is None:
        return None
    url = settings.alert_url.get_secret_value()
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ConfigError("EXPORT_ALERT_URL is not an http or https URL: set it to the webhook's")
    is_slack = settings.alert_format == "slack" or (
        settings.alert_format == "auto" and parts.hostname == SLACK_HOST
    )
    secret = settings.alert_secret
    return Address(url, is_slack, None if secret is None else _key(secret.get_secret_value()))


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) < KEY_BYTES:
        raise ConfigError(
            f"EXPORT_ALERT_SECRET is no key: set it to {SECRET_PREFIX} and at least {KEY_BYTES}"
            " random bytes in base64, as Standard Webhooks has it"
        )
    return key
