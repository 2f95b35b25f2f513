"""How this Laserfiche behaves where its documents leave the choice open."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from export_pipeline.sandbox.changing import Choices, Free, is_count, is_positive, is_seconds

DEFAULT_REPOSITORY = "r-5a4d0c0d"
DEFAULT_USERNAME = "archivist"
DEFAULT_PASSWORD = "correct-horse-5a4d"  # noqa: S105  of the sandbox
DEFAULT_CLIENT = "5a4d0000-0000-4000-8000-00000c0de001"


@dataclass(frozen=True)
class Pace:
    """The vendor's limits per account, and how long an export works.

    Of `long_operations` 0 is any number.
    """

    exports_per_minute: int
    calls_per_minute: int
    long_operations: int
    work_seconds: float


PACES = {
    # FACTS 2.8: 30 imports and exports a minute, 100 of all other calls, one operation at a time.
    "documented": Pace(30, 100, 1, work_seconds=3.0),
    "fast": Pace(12_000, 60_000, 0, work_seconds=0.03),
}

RATES = ("exports_per_minute", "calls_per_minute")
LIMITS = (*RATES, "long_operations")
"""Of a pace, those that can be chosen apart: the present numbers are told nowhere (FACTS 5)."""


@dataclass(frozen=True)
class Account:
    """A user of the repository, and a service app that acts for him.

    `service_key` is what its assertions must name; "" takes any. `key_number` is the service app's
    private key on P-256, a number, so that it is the same at every start.
    """

    username: str = DEFAULT_USERNAME
    password: str = dataclasses.field(default=DEFAULT_PASSWORD, repr=False)
    client_id: str = DEFAULT_CLIENT
    service_key: str = dataclasses.field(default="", repr=False)
    key_number: int = dataclasses.field(default=0x5A4D_0C0D_E001, repr=False)


@dataclass(frozen=True)
class LaserficheOptions:
    """Choices that FACTS part 2 marks UNCONFIRMED or INFERRED, the pace, and the accounts.

    `tasks_of`: whether a task is known to the token that started it alone, or to all of the
    account. `unknown_task`: left out of the answer, or the whole question is a 404. `sync_timeout`:
    the status after 60 s. `dead_link`: the status of a link that ended. `ranges`: whether a link
    answers parts of its file. `hold_seconds`: the longest that a question after tasks is held.
    `exports_per_minute`, `calls_per_minute`, and `long_operations`, how many an account may run at
    once, 0 for any number: None as the pace says.
    `audit_required`: whether an export needs a reason. `link_seconds`: how long a link lives.
    """

    pace: Literal["documented", "fast"] = "documented"
    tasks_of: Literal["token", "account"] = "token"
    unknown_task: Literal["absent", "refused"] = "absent"
    sync_timeout: Literal[500, 408, 504] = 500
    dead_link: Literal[403, 404, 410] = 403
    ranges: bool = True
    retry_after: bool = True
    hold_seconds: float = 60.0
    exports_per_minute: int | None = None
    calls_per_minute: int | None = None
    long_operations: int | None = None
    audit_required: bool = False
    link_seconds: float = 600.0
    repository: str = DEFAULT_REPOSITORY
    accounts: tuple[Account, ...] = (Account(),)

    @property
    def limits(self) -> Pace:
        """The numbers of the chosen pace, and those chosen apart."""
        own = {name: getattr(self, name) for name in LIMITS}
        given = {name: number for name, number in own.items() if number is not None}
        return dataclasses.replace(PACES[self.pace], **given)


CHOICES: Choices = {
    "pace": ("documented", "fast"),
    "tasks_of": ("token", "account"),
    "unknown_task": ("absent", "refused"),
    "sync_timeout": (500, 408, 504),
    "dead_link": (403, 404, 410),
    "ranges": (True, False),
    "retry_after": (True, False),
    "audit_required": (True, False),
}
FREE: Free = {
    "hold_seconds": is_seconds,
    "link_seconds": is_seconds,
    "long_operations": is_count,
    **dict.fromkeys(RATES, lambda value: is_count(value) and is_positive(value)),
}
