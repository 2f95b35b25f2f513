"""Values that several vendors' variables and payloads have."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

YEARS = range(2000, 2100)
"""Ours: .NET writes a time that is not set as year 1, and the last one that it knows as 9999."""
_SENDABLE = re.compile(r"[!-~]+")
Told = TypeVar("Told")


def aware(moment: datetime) -> datetime:
    """The moment; in UTC if it names no zone."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def end_of(moment: datetime | None, life: timedelta) -> float | None:
    """When what began then ends, seconds since the epoch; None of a moment that stands for none."""
    if moment is None or moment.year not in YEARS:
        return None
    return (moment + life).timestamp()


def base_address(example: str, version: str) -> AfterValidator:
    """Checks the address of a vendor's API, and takes it with its version or without.

    Args:
        example: how to write it.
        version: the part of the path that each call has, such as `/v2`.
    """

    def check(url: str) -> str:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        is_bare = parts.username is None and not (parts.query or parts.fragment)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not is_bare:
            raise ValueError(f"write it as {example}")
        return url.rstrip("/").removesuffix(version)

    return AfterValidator(check)


def _or_none(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


def _sendable(secret: SecretStr) -> SecretStr:
    if not _SENDABLE.fullmatch(secret.get_secret_value()):
        raise ValueError("no key or token: it has to be ASCII without blanks and line breaks")
    return secret


Moment = Annotated[datetime, AfterValidator(aware)]
"""As vendors write it, with any offset, or none, and with any number of fractional digits."""
Perhaps = Annotated[Told | None, WrapValidator(_or_none)]
"""What is only told on: in another form than documented it is unknown, and costs nothing else."""
HeaderSecret = Annotated[SecretStr, AfterValidator(_sendable)]
"""A key or a token, that goes into a header with each call."""
