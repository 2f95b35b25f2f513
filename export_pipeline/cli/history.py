"""A scan's history as text."""

from collections.abc import Iterator
from typing import Any

from export_pipeline.archive.audit import CHANGED, MISSING
from export_pipeline.archive.layout import bag_prefix, payload_key
from export_pipeline.cli.output import moment, say, show_table, size
from export_pipeline.ledger.rows import Artifact, Event, Generation, Order
from export_pipeline.workflow.history import History

LISTED_VALUES = 5


def show_history(history: History) -> None:
    """Print everything, oldest first, in local time."""
    scan = history.scan
    say(f"{scan.vendor} scan {scan.scan} of account {scan.account}: {scan.state.value}")
    facts: dict[str, Any] = {
        "reason": scan.reason,
        "source": scan.source,
        "registered": moment(scan.registered_at),
        "expires": moment(scan.expires_at),
        "in the UI since": moment(scan.admitted_at),
        "partition": scan.key.partition_key,
        **scan.details,
    }
    show_table("", ("", ""), [(name, _short(value)) for name, value in facts.items() if value])
    sections = (
        ("Generations", _GENERATION, [_generation(one) for one in history.generations]),
        ("Orders", _ORDER, [_order(one) for one in history.orders]),
        ("Artifacts", _ARTIFACT, [_artifact(one, history) for one in history.artifacts]),
        ("Events", _EVENT, [_event(one) for one in history.events]),
    )
    for title, headers, rows in sections:
        if rows:
            say("")
            show_table(title, headers, rows)


_GENERATION = ("number", "state", "verdict", "files", "size", "opened", "sealed", "damage")


def _generation(one: Generation) -> tuple[object, ...]:
    times = (moment(one.opened_at), moment(one.sealed_at))
    facts = (one.number, one.state.value, one.verdict, one.files, size(one.bytes))
    return (*facts, *times, "; ".join(one.damage.splitlines()))


_ORDER = ("order", "gen", "attempt", "part", "state", "outcome", "sends", "queued", "sent", "why")


def _order(one: Order) -> tuple[object, ...]:
    place = (one.id, one.generation, one.attempt, one.part + 1)
    stands = (one.state.value, one.outcome, one.sends)
    return (*place, *stands, moment(one.queued_at), moment(one.sent_at), one.reason)


_ARTIFACT = ("artifact", "gen", "state", "size", "sha256", "reason")


def _artifact(one: Artifact, history: History) -> tuple[object, ...]:
    damage = next(of.damage for of in history.generations if of.number == one.generation)
    key = payload_key(bag_prefix(history.scan.key, one.generation), one.name)
    found = {f"{key} {words}" for words in (CHANGED, MISSING)} & set(damage.splitlines())
    state = "damaged" if found else one.state.value
    return (one.name, one.generation, state, size(one.size), one.sha256, one.reason)


_EVENT = ("at", "event", "order", "detail")


def _event(one: Event) -> tuple[object, ...]:
    return (moment(one.at), one.event, one.order_id, ", ".join(_facts(one.detail)))


def _facts(detail: dict[str, Any]) -> Iterator[str]:
    return (f"{name} {_short(value)}" for name, value in detail.items() if value not in ("", []))


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(inner)}" for name, inner in value.items())
    if not isinstance(value, list):
        return str(value)
    more = len(value) - LISTED_VALUES
    shown = " ".join(str(one) for one in value[:LISTED_VALUES])
    return f"{shown} and {more:,} more" if more > 0 else shown
