"""How this Copyleaks behaves where its documents leave the choice open."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from export_pipeline.sandbox.changing import Choices

DEFAULT_EMAIL = "demo@example.com"
DEFAULT_KEY = "5a4d0000-0000-4000-8000-00000c0de000"


@dataclass(frozen=True)
class Pace:
    """The vendor's limits per account and how fast it works."""

    exports_per_minute: int
    requests_per_second: int
    logins_per_15_minutes: int
    work_seconds: float
    backoff_seconds: float


PACES = {
    # FACTS 1.8: 10 exports a minute, else 10 requests a second, 12 logins in 15 minutes.
    "documented": Pace(10, 10, 12, work_seconds=3.0, backoff_seconds=1.0),
    "fast": Pace(6_000, 2_000, 1_000, work_seconds=0.03, backoff_seconds=0.02),
}


@dataclass(frozen=True)
class Account:
    """Credentials that may log in."""

    email: str = DEFAULT_EMAIL
    key: str = dataclasses.field(default=DEFAULT_KEY, repr=False)


@dataclass(frozen=True)
class CopyleaksOptions:
    """Choices that FACTS part 1 marks UNCONFIRMED, the pace, and the accounts.

    `success` of an export: 204 without a body, or 200 with `{}`. `reuse` of an export id: refused
    with 409, accepted without a second delivery, or delivered again. `absent`, an order for an
    artifact that the scan does not have: refused with 400, or an unhealthy task. `upload_type`: the
    Content-Type given with an endpoint, or the vendor's own in its place.
    """

    pace: Literal["documented", "fast"] = "documented"
    success: Literal["empty", "object"] = "empty"
    reuse: Literal["conflict", "accept", "redeliver"] = "conflict"
    absent: Literal["refuse", "unhealthy"] = "refuse"
    upload_type: Literal["given", "own"] = "given"
    retry_after: bool = True
    accounts: tuple[Account, ...] = (Account(),)

    @property
    def limits(self) -> Pace:
        """The numbers of the chosen pace."""
        return PACES[self.pace]


CHOICES: Choices = {
    "pace": ("documented", "fast"),
    "success": ("empty", "object"),
    "reuse": ("conflict", "accept", "redeliver"),
    "absent": ("refuse", "unhealthy"),
    "upload_type": ("given", "own"),
    "retry_after": (True, False),
}
