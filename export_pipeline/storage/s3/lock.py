"""Object lock: what keeps a bag's objects from being deleted (S3 User Guide, "Object Lock")."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from export_pipeline.storage.s3.options import S3Options

BAG_PARTS = 4
"""A bag's folder is `<vendor>/<account>/<scan>/<generation>/` (DESIGN.md part 7)."""
_MODE = "x-amz-object-lock-mode"
_UNTIL = "x-amz-object-lock-retain-until-date"
_HOLD = "x-amz-object-lock-legal-hold"


def lock_headers(options: S3Options, key: str, now: float) -> dict[str, str]:
    """Return the headers that lock a new object, none for what lies in no bag.

    The tables beside the bags are written anew without a scan that is forgotten, so they must
    stay deletable; what lies below a folder with a dot is scratch.

    Args:
        key: below the store's prefix.
        now: seconds since the epoch, from which the days count.
    """
    in_bag = key.count("/") >= BAG_PARTS and not key.startswith(".")
    if not (in_bag and options.object_lock_mode and options.object_lock_days):
        return {}
    until = datetime.fromtimestamp(now, UTC) + timedelta(days=options.object_lock_days)
    return {_MODE: options.object_lock_mode, _UNTIL: f"{until:%Y-%m-%dT%H:%M:%SZ}"}


def lock_of(headers: Mapping[str, str], now: float) -> str:
    """Return in words by what an object is kept, by the headers of its HEAD; "" if by nothing."""
    until = headers.get(_UNTIL)
    is_retained = until is not None and datetime.fromisoformat(until).timestamp() > now
    found = [
        *(["a legal hold"] if headers.get(_HOLD) == "ON" else []),
        *([f"object lock ({headers.get(_MODE)}) until {until}"] if is_retained else []),
    ]
    return " and ".join(found)
