"""Login and tokens (FACTS 1.1)."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from hmac import compare_digest

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.copyleaks.errors import EnvelopeError, ProblemError
from export_pipeline.sandbox.copyleaks.options import Account

TOKEN_LIFE_SECONDS = 48 * 3600
# The vendor writes local times; the documents' sample stands at +02:00.
VENDOR_ZONE = timezone(timedelta(hours=2))


class Accounts:
    """Who may log in, and the tokens given out."""

    def __init__(self, clock: Clock, accounts: Sequence[Account]) -> None:
        self._clock = clock
        self._accounts = accounts
        self._tokens: dict[str, tuple[str, float]] = {}

    def login(self, email: str | None, key: str) -> dict[str, str]:
        """A new token as answered on the wire; a wrong pair is a 401 envelope.

        Two of the vendor's pages send the key alone, so the e-mail may be left out.
        """
        asked = [a for a in self._accounts if email in (None, a.email)]
        known = [a for a in asked if compare_digest(a.key.encode(), key.encode())]
        if not known:
            message = "The e-mail or the key is wrong."
            raise EnvelopeError(401, "authentication_error", "invalid_credentials", message)
        issued = self._clock.now()
        token = secrets.token_hex(32).upper()
        self._tokens[token] = (known[0].email, issued + TOKEN_LIFE_SECONDS)
        return {
            "access_token": token,
            ".issued": timestamp(issued),
            ".expires": timestamp(issued + TOKEN_LIFE_SECONDS),
        }

    def of_token(self, authorization: str | None) -> str:
        """The e-mail whose token this is; a missing, unknown or expired one is a 401 problem."""
        scheme, _, token = (authorization or "").partition(" ")
        email, expires = self._tokens.get(token, ("", 0.0))
        if scheme.lower() != "bearer" or expires <= self._clock.now():
            raise ProblemError(401)
        return email


def timestamp(seconds: float) -> str:
    """Unix seconds with seven fractional digits and an offset, as .NET writes them."""
    moment = datetime.fromtimestamp(seconds, VENDOR_ZONE)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0+02:00"
