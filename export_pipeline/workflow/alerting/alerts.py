"""Alerts on their way out: each message counts as sent once the address took it."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from export_pipeline.ledger import alerts
from export_pipeline.ledger.alerts import Alert
from export_pipeline.ledger.database import Ledger
from export_pipeline.workflow.alerting.address import Address, Refusal
from export_pipeline.workflow.alerting.messages import as_json, as_slack, state

SECONDS_BETWEEN = 1.0
"""Slack takes one message a second for each webhook (api.slack.com/apis/rate-limits)."""
MESSAGES_PER_TURN = 50
LEASE_SECONDS = 120.0
"""Four times what one post may take (`address.POST_SECONDS`)."""


def _message(address: Address, alert: Alert) -> dict[str, Any]:
    """The alert in the form that the address takes."""
    return as_slack(alert) if address.is_slack else as_json(alert)


def _name(alert: Alert) -> str:
    """The same for every try of one message, by which the other side knows a repetition."""
    told = f"{alert.cause}\0{state(alert)}\0{alert.began_at}\0{alert.sent_at}"
    return f"msg_{hashlib.sha256(told.encode()).hexdigest()[:32]}"


@dataclass(frozen=True)
class Sent:
    """How many messages the address took, and why it did not take the next, if it did not."""

    count: int
    problem: str = ""


async def send_due(
    ledger: Ledger,
    address: Address,
    http: httpx.AsyncClient,
    *,
    owner: str,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Sent:
    """Send what is due, until one message is not taken: then all wait, ever longer."""
    for count in range(MESSAGES_PER_TURN):
        alert = await ledger.apply(alerts.take, owner, LEASE_SECONDS)
        if alert is None:
            return Sent(count)
        refusal = await address.post(http, _name(alert), _message(address, alert), clock())
        if refusal is not None:
            pause = max(alert.pause, refusal.retry_after)
            await ledger.apply(alerts.failed, alert, refusal.problem, pause)
            return Sent(count, refusal.problem)
        await ledger.apply(alerts.sent, alert, owner)
        await sleep(SECONDS_BETWEEN)
    return Sent(MESSAGES_PER_TURN)


async def send_test(address: Address, http: httpx.AsyncClient, now: float) -> Refusal | None:
    """Post a message that says it is a test; None once it is taken."""
    alert = Alert(
        cause="test",
        title="A test by export-pipeline check --alert: alerts arrive here",
        reason="",
        command="export-pipeline status",
        count=1,
        names=["a test"],
        began_at=now,
        seen_at=now,
        over=False,
        sent_at=None,
        failures=0,
        problem="",
    )
    return await address.post(http, _name(alert), _message(address, alert), now)
