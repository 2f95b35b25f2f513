"""Status: how everything stands, from the ledger alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from export_pipeline.ledger import (
    alerts,
    generations,
    inbox,
    orders,
    quotas,
    registry,
    summary,
    troubles,
)
from export_pipeline.ledger.database import Tx
from export_pipeline.ledger.quotas import Quota
from export_pipeline.vendors.vendor import Vendor
from export_pipeline.workflow.forecast import expiring, seconds_for, seconds_per_call


@dataclass(frozen=True)
class QuotaStatus:
    """A limit and its use: calls granted so far, seconds until the next is free."""

    name: str
    limit: int
    window_seconds: float
    granted: int
    free_in_seconds: float


@dataclass(frozen=True)
class AccountStatus:
    """One account's limits and what waits for them.

    Args:
        vendor: the vendor's name.
        account: the account's short name.
        configured: whether it has credentials here that can be used; without, its orders wait.
        wrong: why those that are set cannot be used, and what to set; "" otherwise.
        quotas: its limits.
        cooldown_seconds: how long nothing is sent, after a 429 or a refused login.
        cooldown_reason: why.
        queued: orders in the queue.
        queue_seconds: until the last of them is sent.
        unordered: registered scans that nobody has ordered, taken as one order each.
        backlog_seconds: until the last of those is sent too.
        expiring: scans that end at the vendor before their turn.
    """

    vendor: str
    account: str
    configured: bool
    wrong: str
    quotas: Sequence[QuotaStatus]
    cooldown_seconds: float
    cooldown_reason: str
    queued: int
    queue_seconds: float
    unordered: int
    backlog_seconds: float
    expiring: int


@dataclass(frozen=True)
class OpenOrder:
    """The order that has been open for longest."""

    scan: str
    account: str
    order: str
    state: str
    attempt: int
    age_seconds: float
    reason: str


@dataclass(frozen=True)
class LastingCause:
    """Something wrong that lasts; see `alerts.Cause`."""

    cause: str
    title: str
    reason: str
    command: str
    count: int
    names: Sequence[str]
    age_seconds: float


@dataclass(frozen=True)
class AlertStatus:
    """What is wrong, and whether people are told.

    Args:
        lasting: oldest first.
        looked_seconds: since the daemon last looked for what is wrong; None if it never did.
        problem: why the address did not take the last message, "" if it did.
    """

    lasting: Sequence[LastingCause]
    looked_seconds: float | None
    problem: str


@dataclass(frozen=True)
class Status:
    """How everything stands.

    Args:
        scans: state -> how many.
        orders: state -> how many.
        accounts: one entry an account.
        oldest_open_order: None with none open.
        rejected_letters: webhooks that could not be read.
        unreported: settled things that Dagster has yet to be told.
        sealed_files: files in sealed bags.
        sealed_bytes: their bytes.
        damaged_bags: of them, those of which the last audit found damage.
        alerts: what is wrong.
    """

    scans: Mapping[str, int]
    orders: Mapping[str, int]
    accounts: Sequence[AccountStatus]
    oldest_open_order: OpenOrder | None
    rejected_letters: int
    unreported: int
    sealed_files: int
    sealed_bytes: int
    damaged_bags: int
    alerts: AlertStatus


def read_status(tx: Tx, vendors: Mapping[str, Vendor]) -> Status:
    """Sum the ledger up."""
    configured = {(one.name, account) for one in vendors.values() for account in one.accounts}
    wrong = {
        (one.name, account): why for one in vendors.values() for account, why in one.wrong.items()
    }
    names = sorted({*configured, *wrong, *summary.accounts(tx)})
    files, size = generations.totals(tx)
    return Status(
        scans=registry.count_by_state(tx),
        orders=orders.count_by_state(tx),
        accounts=[
            _account(
                tx,
                vendors[vendor],
                account,
                configured=(vendor, account) in configured,
                wrong=wrong.get((vendor, account), ""),
            )
            for vendor, account in names
        ],
        oldest_open_order=_oldest(tx),
        rejected_letters=inbox.count_rejected(tx),
        unreported=summary.count_unreported(tx),
        sealed_files=files,
        sealed_bytes=size,
        damaged_bags=troubles.count_damaged(tx),
        alerts=_alerts(tx),
    )


def _account(
    tx: Tx, vendor: Vendor, account: str, *, configured: bool, wrong: str
) -> AccountStatus:
    limits = vendor.quotas(account)
    per_call = seconds_per_call(limits)
    used = [_quota(tx, vendor.name, account, quota) for quota in limits]
    rests_until, reason, _ = quotas.cooldown(tx, vendor.name, account)
    rests = max(0.0, rests_until - tx.now)
    free_in = max([rests, *(one.free_in_seconds for one in used)])
    queue = summary.in_queue(tx, vendor.name, account)
    backlog = summary.unordered(tx, vendor.name, account)
    calls = len(queue) + len(backlog)
    return AccountStatus(
        vendor=vendor.name,
        account=account,
        configured=configured,
        wrong=wrong,
        quotas=used,
        cooldown_seconds=rests,
        cooldown_reason=reason,
        queued=len(queue),
        queue_seconds=seconds_for(len(queue), per_call, free_in),
        unordered=len(backlog),
        backlog_seconds=seconds_for(calls, per_call, free_in),
        expiring=expiring([*queue, *backlog], now=tx.now, per_call=per_call, free_in=free_in),
    )


def _quota(tx: Tx, vendor: str, account: str, quota: Quota) -> QuotaStatus:
    return QuotaStatus(
        name=quota.name,
        limit=quota.limit,
        window_seconds=quota.window_seconds,
        granted=quotas.granted(tx, vendor, account, quota.name),
        free_in_seconds=quotas.next_free(tx, vendor, account, quota) - tx.now,
    )


def _oldest(tx: Tx) -> OpenOrder | None:
    found = summary.oldest_open_order(tx)
    if found is None:
        return None
    order, scan = found
    return OpenOrder(
        scan=scan.scan,
        account=scan.account,
        order=order.id,
        state=order.state,
        attempt=order.attempt,
        age_seconds=tx.now - order.queued_at,
        reason=order.reason,
    )


def _alerts(tx: Tx) -> AlertStatus:
    known = alerts.known(tx)
    looked_at = alerts.looked_at(tx)
    return AlertStatus(
        lasting=[
            LastingCause(
                one.cause,
                one.title,
                one.reason,
                one.command,
                one.count,
                one.names,
                age_seconds=tx.now - one.began_at,
            )
            for one in known
            if not one.over
        ],
        looked_seconds=None if looked_at is None else tx.now - looked_at,
        problem=next((one.problem for one in known if one.problem), ""),
    )
