"""Daily windows: the scans of a schedule, back to any day."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, tzinfo
from zoneinfo import ZoneInfo

from export_pipeline.vendors.hookbridge.details import ExportDetails
from export_pipeline.vendors.hookbridge.filters import DAY, Direction, Filters
from export_pipeline.vendors.hookbridge.options import HookBridgeOptions
from export_pipeline.vendors.vendor import Registration


def windows(
    start: date,
    until: date,
    zone: tzinfo = UTC,
    directions: Sequence[Direction] = (Direction.OUTBOUND,),
) -> list[Registration]:
    """A scan for each whole day and direction, from the day `start` up to and without `until`.

    Each window ends where the next begins, at midnight of the zone: days that change to or from
    summer time have 23 or 25 hours.
    """
    days = [start + number * DAY for number in range((until - start).days)]
    return [_window(day, zone, direction) for day in days for direction in directions]


def due(
    options: HookBridgeOptions,
    now: float,
    start: date | None = None,
    until: date | None = None,
    known: datetime | None = None,
) -> list[Registration]:
    """The windows that a run of the schedule registers: of days that are over.

    Args:
        options: their first day, zone and directions.
        now: seconds since the epoch.
        start: first day, in place of the options'.
        until: the day after the last one; never later than today.
        known: up to when windows were registered, where no first day is given; without it only
            yesterday's is due.
    """
    zone = ZoneInfo(options.zone)
    today = over_until(options, now).date()
    reached = today - DAY if known is None else known.astimezone(zone).date()
    first = start or options.start or reached
    return windows(first, min(until or today, today), zone, options.directions)


def over_until(options: HookBridgeOptions, now: float) -> datetime:
    """The midnight at which the last day ended that is over `now`, in the options' zone."""
    zone = ZoneInfo(options.zone)
    return _midnight(datetime.fromtimestamp(now, zone).date(), zone)


def _window(day: date, zone: tzinfo, direction: Direction) -> Registration:
    filters = Filters(
        start_time=_midnight(day, zone), end_time=_midnight(day + DAY, zone), direction=direction
    )
    return ExportDetails(filters=filters).registration()


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone)
