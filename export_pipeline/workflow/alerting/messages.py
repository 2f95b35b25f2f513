"""What an alert says, as JSON or as Slack has it: pure, from the alert alone."""

import json
from datetime import UTC, datetime
from typing import Any

from export_pipeline.ledger.alerts import Alert

TYPE = "export_pipeline.alert"


def as_json(alert: Alert) -> dict[str, Any]:
    """The documented form; times are RFC 3339."""
    return {
        "type": TYPE,
        "state": state(alert),
        "cause": alert.cause,
        "title": alert.title,
        "reason": alert.reason,
        "count": alert.count,
        "names": list(alert.names),
        "command": alert.command,
        "began_at": _instant(alert.began_at),
        "seen_at": _instant(alert.seen_at),
    }


def as_slack(alert: Alert) -> dict[str, Any]:
    """What an incoming webhook of Slack takes (api.slack.com/messaging/webhooks)."""
    began = f"since {_readable(alert.began_at)}"
    seen = f"not seen since {_readable(alert.seen_at)}"
    more = alert.count - len(alert.names)
    names = ", ".join(_code(name) for name in alert.names) + (f" and {more:,} more" if more else "")
    lines = [
        f"{_BEGINS[state(alert)]}*{_escape(alert.title)}*",
        f"{began}, {seen}" if alert.over else began,
        *([f"why: {_code(alert.reason)}"] if alert.reason else []),
        f"which: {names}",
        *([] if alert.over else [f"run: {_code(alert.command)}"]),
    ]
    return {"text": "\n".join(lines), "unfurl_links": False, "unfurl_media": False}


_BEGINS = {"began": "", "lasts": "Still: ", "over": "Over: "}


def state(alert: Alert) -> str:
    """`began`, `lasts`, or `over`."""
    if alert.over:
        return "over"
    return "began" if alert.sent_at is None else "lasts"


def body(message: dict[str, Any]) -> bytes:
    """The bytes that are posted, and signed."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode()


def _code(text: str) -> str:
    """Text of others as code, in which Slack reads no markup but what would end it."""
    plain = "".join(char if char.isprintable() else " " for char in text).replace("`", "\N{PRIME}")
    return f"`{_escape(plain)}`"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _instant(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _readable(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
