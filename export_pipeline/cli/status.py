"""`status`: how everything stands."""

from collections.abc import Mapping
from dataclasses import asdict

from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import AsJson, Home, examples
from export_pipeline.cli.output import duration, emit, plural, say, show_table, size
from export_pipeline.storage.probe import NO_CREATE_ONLY
from export_pipeline.workflow.status import (
    AccountStatus,
    OpenOrder,
    QuotaStatus,
    Status,
    read_status,
)

EPILOG = examples("export-pipeline status", "export-pipeline status --json | jq .scans")


def status(*, home: Home = None, as_json: AsJson = False) -> None:
    """Show counts by state, the quotas, what waits and for how long, and what needs a person.

    Times until the queue and the backlog are sent follow from the quota; a registered scan counts
    as one order. The vendor's own time to deliver comes on top.
    """
    with open_home(home) as there:
        with there.ledger.read() as tx:
            found = read_status(tx, there.vendors)
        if as_json:
            emit({**_places(there), **asdict(found)})
            return
        _show(found, _places(there))


def _places(home: OpenHome) -> dict[str, str | bool]:
    store = home.store
    return {
        "home": str(home.settings.home),
        "ledger": home.ledger.name,
        "store": store.url,
        "create_only": store.capabilities.create_only,
    }


def _show(found: Status, places: Mapping[str, str | bool]) -> None:
    rows: list[tuple[str, object]] = [
        *((name, places[name]) for name in ("home", "ledger", "store")),
        ("create-only", "by the store itself" if places["create_only"] else NO_CREATE_ONLY),
        ("scans", _counts(found.scans)),
        ("orders", _counts(found.orders)),
        ("sealed", f"{plural(found.sealed_files, 'file')}, {size(found.sealed_bytes)}"),
        ("oldest open order", _oldest(found.oldest_open_order)),
        ("webhooks that could not be read", f"{found.rejected_letters:,}"),
        ("settled and not yet shown in Dagster", f"{found.unreported:,}"),
    ]
    show_table("", ("", ""), rows)
    for account in found.accounts:
        say("")
        _show_account(account)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items())) or "none"


def _oldest(order: OpenOrder | None) -> str:
    if order is None:
        return "none"
    age = duration(order.age_seconds)
    why = f": {order.reason}" if order.reason else ""
    return f"{order.scan} of {order.account}, {order.state} for {age}, attempt {order.attempt}{why}"


def _show_account(one: AccountStatus) -> None:
    rows = [(quota.name, _used(quota)) for quota in one.quotas]
    if not one.configured:
        rows.append(("credentials", "none are set here, so nothing of it is sent from here"))
    if one.cooldown_seconds:
        rows.append(("rests", f"for {duration(one.cooldown_seconds)}: {one.cooldown_reason}"))
    waiting = f"{plural(one.unordered, 'scan')} registered and not ordered"
    rows += [
        ("queue", f"{plural(one.queued, 'order')}, sent in {duration(one.queue_seconds)}"),
        ("backlog", f"{waiting}, all sent in {duration(one.backlog_seconds)}"),
        ("expire before their turn", plural(one.expiring, "scan")),
    ]
    show_table(f"{one.vendor} account {one.account}", ("", ""), rows)


def _used(quota: QuotaStatus) -> str:
    free = "now" if quota.free_in_seconds <= 0 else f"in {duration(quota.free_in_seconds)}"
    return f"limit {quota.limit}, {quota.granted:,} used so far, next free {free}"
