"""Jobs: tasks that were ordered together."""

import asyncio
from dataclasses import dataclass, field

from export_pipeline.sandbox.cloudconvert.tasks import (
    ERROR,
    FINISHED,
    LIFE_SECONDS,
    PROCESSING,
    Json,
    Task,
    shown,
)


@dataclass
class Job:
    """Tasks that were ordered together."""

    id: str
    account: int
    created: float
    tag: str | None = None
    webhook_url: str | None = None
    tasks: list[Task] = field(default_factory=list)
    status: str = PROCESSING
    ended: float | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, now: float) -> None:
        """It is over: in error if a task is whose errors are not ignored."""
        failed = any(one.status == ERROR and not one.ignore_error for one in self.tasks)
        self.status, self.ended = ERROR if failed else FINISHED, now
        self.over.set()

    def is_gone(self, now: float) -> bool:
        """Whether it was deleted by its age."""
        return now >= (self.ended or self.created) + LIFE_SECONDS

    def shown_status(self, new_job: str) -> str | None:
        """Its status; `new_job` is that of one which is not over, "null" for none."""
        if self.over.is_set():
            return self.status
        return None if new_job == "null" else new_job

    def to_json(self, base: str, new_job: str) -> Json:
        """The vendor's object, without the tasks."""
        begun = [one.started for one in self.tasks if one.started is not None]
        return {
            "id": self.id,
            "tag": self.tag,
            "status": self.shown_status(new_job),
            "created_at": shown(self.created),
            "started_at": shown(min(begun, default=None)),
            "ended_at": shown(self.ended),
            "links": {"self": f"{base}/v2/jobs/{self.id}"},
        }
