"""Which messages an export is of: a time window and filters, and the scan id that names them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

DAY = timedelta(days=1)
_DAY_FORM = "%Y-%m-%d"
_TIME_FORM = "%Y-%m-%dt%H%M%Sz"
_FRACTION_FORM = "%Y-%m-%dt%H%M%S%fz"
_DAY = r"\d{4}-\d\d-\d\d"
_TIME = rf"{_DAY}t\d{{6}}(?:\d{{6}})?z"
_WINDOW = re.compile(rf"({_TIME})_({_TIME})|({_DAY})", re.ASCII)
_ENDPOINT = re.compile(r"ep_[0-9a-f]{32}", re.ASCII)


class Status(StrEnum):
    """What a message may be (FACTS 3.2)."""

    QUEUED = "queued"
    DELIVERING = "delivering"
    SUCCEEDED = "succeeded"
    PENDING_RETRY = "pending_retry"
    FAILED_PERMANENT = "failed_permanent"


class Direction(StrEnum):
    """Which way messages go; outbound is the vendor's default (FACTS 3.2)."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("without a time zone: end it with Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("before the year 1 or after 9999 in UTC") from None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
EndpointId = Annotated[str, Field(pattern=rf"^{_ENDPOINT.pattern}$")]


class Filters(BaseModel):
    """What a creation asks for (FACTS 3.2), under the vendor's names.

    A window goes from `start_time` up to `end_time`. Whether the vendor counts a message of that
    very last moment is not documented: daily windows meet at midnight, so that none is lost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    start_time: Moment
    end_time: Moment
    status: Status | None = None
    direction: Direction = Direction.OUTBOUND
    endpoint_id: EndpointId | None = None
    inbound_endpoint_id: UUID | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.end_time <= self.start_time:
            raise ValueError("end_time: not after start_time")
        if self.endpoint_id and self.direction != Direction.OUTBOUND:
            raise ValueError("endpoint_id: only of outbound exports; use inbound_endpoint_id")
        if self.inbound_endpoint_id and self.direction != Direction.INBOUND:
            raise ValueError("inbound_endpoint_id: only of inbound exports; use endpoint_id")
        return self

    @property
    def scan_id(self) -> str:
        """The id of the scan that they are: `2026-11-21`, `2026-11-21.inbound`; see `of_scan_id`.

        Two that differ have different ids.
        """
        return ".".join([self._window, *self._narrowing])

    @classmethod
    def of_scan_id(cls, scan_id: str) -> Self | None:
        """Read back what `scan_id` wrote, None if it is no such id.

        First comes the window: a day of UTC, or `2026-11-20t230000z_2026-11-21t230000z`. Then come,
        after dots and in this order: `inbound`, the status, the endpoint.
        """
        window, *narrowing = scan_id.split(".")
        try:
            found = cls.model_validate({**_read_window(window), **dict(map(_named, narrowing))})
        except (ValueError, OverflowError):
            return None
        return found if found.scan_id == scan_id else None

    def to_json(self) -> dict[str, Any]:
        """As the vendor takes them, without what is its default anyway."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def _window(self) -> str:
        if self.start_time.time() == time.min and self.end_time - self.start_time == DAY:
            return self.start_time.strftime(_DAY_FORM)
        return f"{_written(self.start_time)}_{_written(self.end_time)}"

    @property
    def _narrowing(self) -> Iterator[str]:
        if self.direction != Direction.OUTBOUND:
            yield self.direction
        for value in (self.status, self.endpoint_id, self.inbound_endpoint_id):
            if value is not None:
                yield str(value)


def _read_window(text: str) -> dict[str, datetime]:
    match = _WINDOW.fullmatch(text)
    if match is None:
        raise ValueError(text)
    start, end, day = match.groups()
    if day:
        began = datetime.strptime(day, _DAY_FORM).replace(tzinfo=UTC)
        return {"start_time": began, "end_time": began + DAY}
    return {"start_time": _read(start), "end_time": _read(end)}


def _written(moment: datetime) -> str:
    return moment.strftime(_FRACTION_FORM if moment.microsecond else _TIME_FORM)


def _read(text: str) -> datetime:
    form = _TIME_FORM if len(text) == len("2026-11-21t090000z") else _FRACTION_FORM
    return datetime.strptime(text, form).replace(tzinfo=UTC)


def _named(text: str) -> tuple[str, str]:
    if text in set(Direction):
        return "direction", text
    if text in set(Status):
        return "status", text
    return "endpoint_id" if _ENDPOINT.fullmatch(text) else "inbound_endpoint_id", text
