"""Values that several vendors' variables and payloads have."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, SecretStr

_SENDABLE = re.compile(r"[!-~]+")


def aware(moment: datetime) -> datetime:
    """The moment; in UTC if it names no zone."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _sendable(secret: SecretStr) -> SecretStr:
    if not _SENDABLE.fullmatch(secret.get_secret_value()):
        raise ValueError("no key or token: it has to be ASCII without blanks and line breaks")
    return secret


Moment = Annotated[datetime, AfterValidator(aware)]
"""As vendors write it, with any offset, or none, and with any number of fractional digits."""
HeaderSecret = Annotated[SecretStr, AfterValidator(_sendable)]
"""A key or a token, that goes into a header with each call."""
