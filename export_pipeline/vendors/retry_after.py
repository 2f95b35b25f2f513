"""The Retry-After header (RFC 9110, 10.2.3), read from vendors who may write anything into it."""

import re
from email.utils import parsedate_to_datetime

from export_pipeline.vendors.fields import aware

FLOOR_SECONDS = 1.0
"""A vendor that says 0 has just said that we are too fast."""
CEILING_SECONDS = 3600.0
"""The longest pause taken on a vendor's word alone; it can say so again."""

_SECONDS = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def retry_after_seconds(value: str | None, *, now: float) -> float | None:
    """Seconds to pause, within floor and ceiling; None if the header is not there or unreadable.

    Args:
        value: the header: seconds, or an HTTP date.
        now: seconds since the epoch, to which a date is compared.
    """
    text = (value or "").strip()
    seconds = float(text) if _SECONDS.fullmatch(text) else _until(text, now)
    return None if seconds is None else min(max(seconds, FLOOR_SECONDS), CEILING_SECONDS)


def _until(text: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        return aware(moment).timestamp() - now
    except (ValueError, OverflowError):
        return None
