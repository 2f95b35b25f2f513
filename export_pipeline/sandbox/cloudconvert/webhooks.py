"""Webhooks: who hears of a job, the signature, and what happens to those not taken (FACTS 4.7)."""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from export_pipeline.sandbox.background import Background
from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.cloudconvert.calling import CallError, call
from export_pipeline.sandbox.cloudconvert.faults import (
    LATE,
    LATE_SECONDS,
    LOST,
    TWICE,
    WRONG_SIGNATURE,
)
from export_pipeline.sandbox.cloudconvert.jobs import Job
from export_pipeline.sandbox.cloudconvert.options import Account, CloudConvertOptions
from export_pipeline.sandbox.cloudconvert.stats import Stats

SIGNATURE = "CloudConvert-Signature"
JOB_CREATED, JOB_FINISHED, JOB_FAILED = EVENTS = ("job.created", "job.finished", "job.failed")
RETRIES = 3
GONE = 410
REFUSAL_CLASS, FAILURE_CLASS = 4, 5


@dataclass
class Webhook:
    """Where an account, or one job (`is_own` of it), wants to hear of some events."""

    id: str
    account: int
    url: str
    events: tuple[str, ...]
    secret: str = field(repr=False)
    is_own: bool = False
    is_disabled: bool = False

    def to_json(self) -> dict[str, Any]:
        """The vendor's object."""
        return {
            "id": self.id,
            "url": self.url,
            "events": list(self.events),
            "disabled": self.is_disabled,
            "signing_secret": self.secret,
        }


class Webhooks:
    """Sends what the account's and a job's own webhooks are to hear, in the background.

    Args:
        clock: tells the time and waits.
        session: for the calls.
        background: where they go on.
        stats: counts them.
        options: the vendor's options, as they are now.
    """

    def __init__(
        self,
        clock: Clock,
        session: aiohttp.ClientSession,
        background: Background,
        stats: Stats,
        options: Callable[[], CloudConvertOptions],
    ) -> None:
        self._clock = clock
        self._session = session
        self._background = background
        self._stats = stats
        self._options = options
        self._webhooks: dict[str, Webhook] = {}

    def add(self, webhook: Webhook) -> None:
        """Send to this one too."""
        self._webhooks[webhook.id] = webhook

    def of(self, account: int) -> list[Webhook]:
        """An account's own, without those of single jobs."""
        return [one for one in self._webhooks.values() if one.account == account and not one.is_own]

    def remove(self, webhook: Webhook) -> None:
        """Send to this one no more."""
        del self._webhooks[webhook.id]

    def tell(self, event: str, job: Job, told: dict[str, Any], fault: str) -> None:
        """Send the event with the job as it is told to whoever wants it."""
        body = json.dumps({"event": event, "job": told}).encode()
        own = self._webhooks.get(job.id)
        hearing = [*self.of(job.account), *([own] if own else [])]
        for webhook in (one for one in hearing if event in one.events):
            for _ in range(2 if fault == TWICE else 1):
                self._background.start(self._deliver(webhook, body, fault))

    async def _deliver(self, webhook: Webhook, body: bytes, fault: str) -> None:
        if fault == LATE:
            await self._clock.sleep(LATE_SECONDS)
        if fault == LOST:
            return
        headers = {"Content-Type": "application/json", **self._signed(webhook, body, fault)}
        for attempt in range(1 + RETRIES):
            if attempt:
                self._stats.webhooks_retried += 1
                pause = self._options().limits.backoff_seconds * 2 ** (attempt - 1)
                await self._clock.sleep(pause)
            if webhook.is_disabled or await self._is_settled(webhook, headers, body):
                return
        self._stats.webhooks_given_up += 1

    async def _is_settled(self, webhook: Webhook, headers: dict[str, str], body: bytes) -> bool:
        try:
            answer = await call(self._session, "POST", webhook.url, headers=headers, data=body)
        except CallError:
            return False
        self._stats.webhooks_sent += 1
        kind = answer.status // 100
        disables_any = self._options().disabling == "4xx"
        if answer.status == GONE or (kind == REFUSAL_CLASS and disables_any):
            webhook.is_disabled = True
            self._stats.webhooks_disabled += 1
        return kind != FAILURE_CLASS

    def _signed(self, webhook: Webhook, body: bytes, fault: str) -> dict[str, str]:
        if webhook.is_own and not self._options().job_webhooks_signed:
            return {}
        if fault == WRONG_SIGNATURE:
            body = body + b"?"
        return {SIGNATURE: signature(body, webhook.secret)}


def signature(body: bytes, secret: str) -> str:
    """The signature of a body (FACTS 4.7)."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def account_of(options: CloudConvertOptions, account: int) -> Account:
    """The account of that number."""
    return next(one for one in options.accounts if one.id == account)
