"""Long operations: what each does, when it ends and how, who may ask after it (FACTS 2.4)."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.laserfiche.accounts import Token
from export_pipeline.sandbox.laserfiche.entries import timestamp
from export_pipeline.sandbox.laserfiche.errors import ProblemError

EXPORT, SEARCH = "ExportEntry", "SearchEntry"
KEPT_SECONDS = 900
"""A task is forgotten so long after its end."""
NEVER = float("inf")
_NAMES = uuid.UUID("5a4d0c0d-0000-4000-8000-000000000000")


@dataclass
class Task:
    """One long operation; `outcome` gives its result once it ended, or raises why it failed.

    `command` is what a search looks for.
    """

    id: str
    kind: str
    token: Token
    entry: int
    started: float
    ends: float
    outcome: Callable[[], str]
    is_cancelled: bool = False
    is_forgotten: bool = False
    uri: str | None = None
    error: ProblemError | None = None
    command: str = ""

    def has_ended(self, now: float) -> bool:
        """Whether it is over, well or badly."""
        return self.is_cancelled or now >= self.ends

    def settle(self, now: float) -> None:
        """Take its outcome, once, when it is over."""
        if self.is_cancelled or now < self.ends or self.uri is not None or self.error is not None:
            return
        try:
            self.uri = self.outcome()
        except ProblemError as error:
            self.error = error

    def to_json(self, now: float) -> dict[str, Any]:
        """The task on the wire."""
        self.settle(now)
        result = None if self.uri is None else {"entryId": self.entry, "uri": self.uri}
        return {
            "id": self.id,
            "taskType": self.kind,
            "percentComplete": self._percent(now),
            "status": self.status(now),
            "errors": [] if self.error is None else [self.error.problem],
            "result": result,
            "startTime": timestamp(self.started),
            "lastUpdateTime": timestamp(min(now, self.ends)),
        }

    def status(self, now: float) -> str:
        """Where it stands."""
        if self.is_cancelled:
            return "Cancelled"
        if not self.has_ended(now):
            return "InProgress"
        return "Completed" if self.error is None else "Failed"

    def _percent(self, now: float) -> int:
        if self.has_ended(now) or self.ends == NEVER:
            return 100 if self.has_ended(now) else 0
        return int(100 * (now - self.started) / (self.ends - self.started))


class Tasks:
    """All tasks of all accounts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[str, Task] = {}

    def start(
        self, kind: str, token: Token, entry: int, seconds: float, outcome: Callable[[], str]
    ) -> Task:
        """Begin a task that works for `seconds`."""
        now = self._clock.now()
        name = str(uuid.uuid5(_NAMES, str(len(self._tasks))))
        self._tasks[name] = Task(name, kind, token, entry, now, now + seconds, outcome)
        return self._tasks[name]

    def of(self, token: Token, tasks_of: str) -> list[Task]:
        """The tasks that the token's bearer may ask after."""
        return [one for one in self._tasks.values() if self._is_known(one, token, tasks_of)]

    def running(self, account: str) -> int:
        """How many tasks an account has that are not over."""
        now = self._clock.now()
        return sum(
            one.token.account == account and not one.has_ended(now) for one in self._tasks.values()
        )

    def open_searches(self, account: str) -> int:
        """How many searches an account has that were not closed, over or not."""
        return sum(
            one.token.account == account and one.kind == SEARCH and not one.is_forgotten
            for one in self._tasks.values()
        )

    async def wait(self, tasks: Sequence[Task], seconds: float) -> None:
        """Wait until one of the tasks is over, `seconds` at most."""
        now = self._clock.now()
        until = min([now + seconds, *(task.ends for task in tasks)])
        if tasks and not any(task.has_ended(now) for task in tasks) and until > now:
            await self._clock.sleep(until - now)

    def forget_ended(self) -> None:
        """Forget whatever is over, as after 15 minutes."""
        now = self._clock.now()
        for task in self._tasks.values():
            task.is_forgotten = task.is_forgotten or task.has_ended(now)

    def _is_known(self, task: Task, token: Token, tasks_of: str) -> bool:
        is_old = self._clock.now() >= task.ends + KEPT_SECONDS
        if task.is_forgotten or is_old or task.token.account != token.account:
            return False
        return tasks_of == "account" or task.token.text == token.text


def known(tasks: Iterable[Task], ids: Sequence[str]) -> list[Task]:
    """Those of the tasks that are asked after; all without ids."""
    return [task for task in tasks if not ids or task.id in ids]
