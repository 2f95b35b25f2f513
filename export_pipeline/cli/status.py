"""`status`: how everything stands, once or again and again."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from export_pipeline.cli.home import OpenHome, open_home
from export_pipeline.cli.options import AsJson, Home, examples
from export_pipeline.cli.output import Block, duration, emit, plural, show_blocks, size
from export_pipeline.cli.watch import watch_blocks
from export_pipeline.errors import ConfigError
from export_pipeline.settings import Settings
from export_pipeline.storage.probe import NO_CREATE_ONLY
from export_pipeline.workflow.alerting.address import find_address
from export_pipeline.workflow.rates import Rates, rates
from export_pipeline.workflow.status import (
    AccountStatus,
    AlertStatus,
    OpenOrder,
    QuotaStatus,
    Status,
    read_status,
)

EPILOG = examples(
    "export-pipeline status",
    "export-pipeline status --json | jq .scans",
    "export-pipeline status --watch 10",
)
WATCH_SECONDS = 5.0
SILENT_SECONDS = 600.0
"""After so long without a look of the daemon for what is wrong it does not run."""


def status(
    *,
    seconds: Annotated[
        float | None,
        typer.Argument(
            metavar="SECONDS",
            min=0.1,
            help=f"With --watch: between two looks.  [default: {WATCH_SECONDS:g}]",
            show_default=False,
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Look again and again, until Ctrl-C, and tell the rates."),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show counts by state, the quotas, what waits and for how long, and what needs a person.

    Times until the queue and the backlog are sent follow from the quota; a registered scan counts
    as one order. The vendor's own time to deliver comes on top. With --watch the figures stand
    still on a terminal; elsewhere each look is printed below the one before.
    """
    if seconds is not None and not watch:
        raise typer.BadParameter("goes with --watch", param_hint="SECONDS")
    with open_home(home) as there:
        places = _places(there)
        if watch:
            _watch(there, places, seconds or WATCH_SECONDS, as_json=as_json)
            return
        found = _read(there)
        if as_json:
            emit({**places, **asdict(found)})
        else:
            show_blocks(_blocks(found, places))


def _watch(home: OpenHome, places: Mapping[str, Any], seconds: float, *, as_json: bool) -> None:
    first = _read(home)

    def look(elapsed: float) -> Iterator[Block]:
        found = _read(home)
        since = rates(first, found, elapsed)
        if as_json:
            emit({**places, **asdict(found), "rates": asdict(since)})
            return
        yield _rates(since)
        yield from _blocks(found, places)

    watch_blocks(look, seconds, is_live=not as_json)


def _read(home: OpenHome) -> Status:
    with home.ledger.read() as tx:
        return read_status(tx, home.vendors)


def _places(home: OpenHome) -> dict[str, str | bool]:
    store = home.store
    return {
        "home": str(home.settings.home),
        "ledger": home.ledger.name,
        "store": store.url,
        "create_only": store.capabilities.create_only,
        "alerts_to": _told(home.settings),
    }


def _told(settings: Settings) -> str:
    """Where alerts go, or why nowhere."""
    try:
        address = find_address(settings)
    except ConfigError as error:
        return f"nobody: {error}"
    return "nobody: EXPORT_ALERT_URL is not set" if address is None else address.host


def _rates(since: Rates) -> Block:
    rows: list[tuple[str, object]] = [
        (
            "sealed",
            f"{plural(since.sealed, 'scan')}, {since.per_minute(since.sealed):.1f} a minute",
        ),
        (
            "",
            (
                f"{plural(since.sealed_files, 'file')}, {size(since.sealed_bytes)},"
                f" {size(round(since.per_minute(since.sealed_bytes)))} a minute"
            ),
        ),
        ("failed or expired", plural(since.lost, "scan")),
    ]
    rows += [
        (
            f"{one.vendor} account {one.account}, {one.quota}",
            f"{plural(one.granted, 'call')}, {since.per_minute(one.granted):.1f} a minute",
        )
        for one in since.calls
        if one.granted
    ]
    return Block(f"in {duration(since.seconds)} since the watch began", rows)


def _blocks(found: Status, places: Mapping[str, Any]) -> Iterator[Block]:
    rows: list[tuple[str, object]] = [
        *((name, places[name]) for name in ("home", "ledger", "store")),
        ("create-only", "by the store itself" if places["create_only"] else NO_CREATE_ONLY),
        ("scans", _counts(found.scans)),
        ("orders", _counts(found.orders)),
        ("sealed", f"{plural(found.sealed_files, 'file')}, {size(found.sealed_bytes)}"),
        ("damaged bags", _damaged(found.damaged_bags)),
        ("oldest open order", _oldest(found.oldest_open_order)),
        ("webhooks that could not be read", f"{found.rejected_letters:,}"),
        ("settled and not yet shown in Dagster", f"{found.unreported:,}"),
        ("what is wrong", _looked(found.alerts)),
        ("is told to", f"{places['alerts_to']}{_not_taken(found.alerts)}"),
    ]
    yield Block("", rows)
    for account in found.accounts:
        yield _account(account)
    for cause in found.alerts.lasting:
        why = [("why", cause.reason)] if cause.reason else []
        which = ", ".join(cause.names)
        more = (
            f" and {cause.count - len(cause.names):,} more"
            if cause.count > len(cause.names)
            else ""
        )
        yield Block(
            f"wrong for {duration(cause.age_seconds)}: {cause.title}",
            [*why, ("which", f"{which}{more}"), ("look with", cause.command)],
        )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items())) or "none"


def _damaged(count: int) -> str:
    return f"{count:,}: `scans list --damaged` names them" if count else "none known"


def _oldest(order: OpenOrder | None) -> str:
    if order is None:
        return "none"
    age = duration(order.age_seconds)
    why = f": {order.reason}" if order.reason else ""
    return f"{order.scan} of {order.account}, {order.state} for {age}, attempt {order.attempt}{why}"


def _looked(alerts: AlertStatus) -> str:
    if alerts.looked_seconds is None:
        return "nobody has looked: dagster-daemon does"
    found = f"{plural(len(alerts.lasting), 'thing')}, looked {duration(alerts.looked_seconds)} ago"
    is_silent = alerts.looked_seconds > SILENT_SECONDS
    return f"{found}: does dagster-daemon run?" if is_silent else found


def _not_taken(alerts: AlertStatus) -> str:
    return f", which does not take it: {alerts.problem}" if alerts.problem else ""


def _account(one: AccountStatus) -> Block:
    rows: list[tuple[str, object]] = [(quota.name, _used(quota)) for quota in one.quotas]
    if one.wrong:
        rows.append(("credentials", f"wrong, so nothing of it is sent from here: {one.wrong}"))
    elif not one.configured:
        rows.append(("credentials", "none are set here, so nothing of it is sent from here"))
    if one.cooldown_seconds:
        rows.append(("rests", f"for {duration(one.cooldown_seconds)}: {one.cooldown_reason}"))
    waiting = f"{plural(one.unordered, 'scan')} registered and not ordered"
    rows += [
        ("queue", f"{plural(one.queued, 'order')}, sent in {duration(one.queue_seconds)}"),
        ("backlog", f"{waiting}, all sent in {duration(one.backlog_seconds)}"),
        ("expire before their turn", plural(one.expiring, "scan")),
    ]
    return Block(f"{one.vendor} account {one.account}", rows)


def _used(quota: QuotaStatus) -> str:
    free = "now" if quota.free_in_seconds <= 0 else f"in {duration(quota.free_in_seconds)}"
    limit = f"{quota.limit:,} in {duration(quota.window_seconds)}"
    return f"limit {limit}, next free {free}; {plural(quota.granted, 'call')} in all so far"
