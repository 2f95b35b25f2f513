"""When an account rests: after a 429, and while its credentials need a person."""

from export_pipeline.errors import (
    AuthenticationFailed,
    ConfigError,
    RateLimited,
    ResultLost,
    VendorError,
)
from export_pipeline.ledger import quotas
from export_pipeline.ledger.database import Tx

LOGIN_COOLDOWN_SECONDS = 300.0
RATE_COOLDOWN_SECONDS = 60.0
"""Rest after a 429 that names no time: one whole window of the limit."""


def needs_person(error: VendorError | ConfigError) -> bool:
    """Whether every further call of the account would fail until somebody acts."""
    return isinstance(error, AuthenticationFailed | ConfigError)


def may_pass(error: VendorError | ConfigError) -> bool:
    """Whether the same call may succeed later, with nothing ordered anew."""
    return error.transient or needs_person(error)


def is_final(error: VendorError | ConfigError) -> bool:
    """Whether ordering it anew would fail in the same way."""
    return not (may_pass(error) or isinstance(error, ResultLost))


def rest_seconds(error: VendorError | ConfigError) -> float:
    """For how long the account rests after the error; 0 if it is one of a scan."""
    if needs_person(error):
        return LOGIN_COOLDOWN_SECONDS
    if isinstance(error, RateLimited):
        return error.retry_after or RATE_COOLDOWN_SECONDS
    return 0.0


def let_rest(tx: Tx, vendor: str, account: str, error: VendorError | ConfigError) -> None:
    """Let the account rest if the error is one of the account and not of one scan."""
    if seconds := rest_seconds(error):
        person = needs_person(error)
        quotas.cool_down(tx, vendor, account, seconds, str(error), needs_person=person)
