"""Moments as the archive keeps them: whole milliseconds, the same in texts and in tables."""

from datetime import UTC, datetime, timedelta

PER_SECOND = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: float) -> int:
    """Seconds since the epoch in whole milliseconds, the nearest, so that the way back is exact."""
    return round(moment * PER_SECOND)


def write_moment(moment: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC with milliseconds; None without a moment."""
    if moment is None:
        return None
    at = _EPOCH + timedelta(milliseconds=milliseconds(moment))
    return at.isoformat(timespec="milliseconds")


def read_moment(text: str | None) -> float | None:
    """Read back what `write_moment` wrote, to the millisecond.

    Raises:
        ValueError: it is no moment with an offset.
    """
    if text is None:
        return None
    return (datetime.fromisoformat(text) - _EPOCH) / timedelta(milliseconds=1) / PER_SECOND
