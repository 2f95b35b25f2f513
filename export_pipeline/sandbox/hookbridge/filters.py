"""What an export is of: the body that creates one, checked as documented (FACTS 3.2)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from export_pipeline.sandbox.hookbridge.errors import invalid

STATUSES = ("queued", "delivering", "succeeded", "pending_retry", "failed_permanent")
OUTBOUND, INBOUND = DIRECTIONS = ("outbound", "inbound")
FIELDS = ("start_time", "end_time", "status", "endpoint_id", "direction", "inbound_endpoint_id")
_ENDPOINT = re.compile(r"ep_([0-9a-f]{32})")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True)
class Filters:
    """A window and which of its messages; `endpoint` is a UUID however it was written."""

    start: datetime
    end: datetime
    status: str | None = None
    endpoint: UUID | None = None
    direction: str = OUTBOUND
    inbound_endpoint: UUID | None = None

    def require_within(self, days: int) -> None:
        """Refuse a longer window, if there is a longest one."""
        if days and self.end - self.start > timedelta(days=days):
            raise invalid(f"the window must not be longer than {days} days")

    def to_json(self) -> dict[str, str | None]:
        """The filters as an export shows them."""
        return {
            "direction": self.direction,
            "filter_start_time": shown(self.start),
            "filter_end_time": shown(self.end),
            "filter_status": self.status,
            "filter_endpoint_id": _text(self.endpoint),
            "filter_inbound_endpoint_id": _text(self.inbound_endpoint),
        }


def shown(moment: datetime) -> str:
    """A time as the vendor writes it: `2025-12-06T12:00:30Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_filters(body: object) -> Filters:
    """The export that `body` asks for; what is wrong with it is a 400."""
    if not isinstance(body, dict):
        raise invalid("the body must be a JSON object")
    if unknown := sorted(body.keys() - set(FIELDS)):
        raise invalid(f"unknown field {unknown[0]}")
    filters = Filters(
        _required("start_time", body),
        _required("end_time", body),
        _optional("status", body, lambda text: _one_of(STATUSES, text)),
        _optional("endpoint_id", body, _endpoint),
        _optional("direction", body, lambda text: _one_of(DIRECTIONS, text)) or OUTBOUND,
        _optional("inbound_endpoint_id", body, UUID),
    )
    if filters.end <= filters.start:
        raise invalid("end_time must be after start_time")
    if filters.endpoint and filters.direction != OUTBOUND:
        raise invalid("endpoint_id is for outbound exports only")
    if filters.inbound_endpoint and filters.direction != INBOUND:
        raise invalid("inbound_endpoint_id is for inbound exports only")
    return filters


def _required(name: str, body: Mapping[str, Any]) -> datetime:
    found: datetime | None = _optional(name, body, _moment)
    if found is None:
        raise invalid(f"{name} is required")
    return found


def _optional(name: str, body: Mapping[str, Any], read: Callable[[str], Any]) -> Any:
    value = body.get(name)
    if value is None:
        return None
    try:
        return read(value if isinstance(value, str) else "")
    except ValueError:
        raise invalid(f"{name} is not valid") from None


def _moment(text: str) -> datetime:
    if not _MOMENT.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def _endpoint(text: str) -> UUID:
    found = _ENDPOINT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return UUID(found[1])


def _one_of(choices: tuple[str, ...], text: str) -> str:
    if text not in choices:
        raise ValueError(text)
    return text


def _text(uuid: UUID | None) -> str | None:
    return None if uuid is None else str(uuid)
