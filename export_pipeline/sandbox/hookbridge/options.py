"""How this HookBridge behaves where its documents leave the choice open."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from export_pipeline.sandbox.changing import Choices, Free, is_count, is_positive

DEFAULT_KEY = "hb_test_5a4d00000000400080000000c0de0000"


@dataclass(frozen=True)
class Pace:
    """The vendor's limit per project, and how long an export waits and is worked on."""

    requests_per_minute: int
    pending_seconds: float
    processing_seconds: float


PACES = {
    # FACTS 3.1: 1000 requests a minute.
    "documented": Pace(1_000, pending_seconds=1.0, processing_seconds=2.0),
    "fast": Pace(120_000, pending_seconds=0.01, processing_seconds=0.03),
}


@dataclass(frozen=True)
class Project:
    """A project with its API key."""

    id: str = "proj_abc123"
    key: str = dataclasses.field(default=DEFAULT_KEY, repr=False)


@dataclass(frozen=True)
class HookBridgeOptions:
    """Choices that FACTS part 3 marks INFERRED or UNCONFIRMED, the pace, and the projects.

    `created` is the status that answers a creation, `not_ready` that of EXPORT_NOT_READY. `end`:
    whether a message at the very end of a window is in it. `link_seconds`: how long a download
    link lives. `message_seconds`: each project has one message every so often. `listed`: how many
    exports a list shows, the newest ones. `open_exports`: how many a project may have that are
    still to end. `window_days`: the longest window. Of these three 0 is any number.
    """

    pace: Literal["documented", "fast"] = "documented"
    created: Literal[201, 200] = 201
    not_ready: Literal[400, 409] = 400
    end: Literal["excluded", "included"] = "excluded"
    retry_after: bool = True
    link_seconds: float = 300.0
    message_seconds: float = 3600.0
    listed: int = 0
    open_exports: int = 0
    window_days: int = 0
    projects: tuple[Project, ...] = (Project(),)

    @property
    def limits(self) -> Pace:
        """The numbers of the chosen pace."""
        return PACES[self.pace]


CHOICES: Choices = {
    "pace": ("documented", "fast"),
    "created": (201, 200),
    "not_ready": (400, 409),
    "end": ("excluded", "included"),
    "retry_after": (True, False),
}
FREE: Free = {
    "link_seconds": is_positive,
    "message_seconds": is_positive,
    "listed": is_count,
    "open_exports": is_count,
    "window_days": is_count,
}
