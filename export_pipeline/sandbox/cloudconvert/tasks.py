"""Tasks: what each is told to do, how it stands, and what it made."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

LIFE_SECONDS = 24 * 3600
"""Seed 003: all tasks are deleted so long after their end, and their URLs with them."""
FINISHED, ERROR, PROCESSING, WAITING = "finished", "error", "processing", "waiting"
INPUT_TASK_FAILED = "INPUT_TASK_FAILED"

Json = dict[str, Any]


@dataclass(frozen=True)
class MadeFile:
    """A file that a task made.

    Args:
        dir: tells apart those of one name.
        claimed: the size that is told, where that is not true.
    """

    filename: str
    body: bytes = field(repr=False)
    dir: str = ""
    claimed: int | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """Its folder, if it has one, and its name."""
        return (self.dir, self.filename) if self.dir else (self.filename,)


@dataclass
class Task:
    """One task; times are Unix seconds.

    Args:
        payload: the operation with its arguments, `input` as a list.
        inputs: ids of the tasks whose files it takes.
        told: what `result.files` says, where that is more than the names of `files`.
        form: where to upload to, of an import/upload.
    """

    id: str
    account: int
    operation: str
    payload: Json
    created: float
    inputs: Sequence[str] = ()
    job: str | None = None
    name: str | None = None
    ignore_error: bool = False
    retry_of: str | None = None
    status: str = WAITING
    code: str | None = None
    message: str | None = None
    credits: int | None = None
    started: float | None = None
    ended: float | None = None
    files: Sequence[MadeFile] = field(default=(), repr=False)
    told: Sequence[Json] | None = None
    form: Json | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    uploaded: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def kind(self) -> str:
        """`import`, `export`, or `convert` for whatever makes files out of others."""
        kind = self.operation.partition("/")[0]
        return kind if kind in ("import", "export") else "convert"

    def begin(self, now: float) -> None:
        """It is worked on from now."""
        self.status, self.started = PROCESSING, now

    def end(self, now: float, *, code: str | None = None, message: str | None = None) -> None:
        """It is over, well or, with a code, badly; only its first end counts."""
        if self.over.is_set():
            return
        self.status = FINISHED if code is None else ERROR
        self.code, self.message, self.ended = code, message, now
        self.over.set()
        # Whoever waits for its file waits in vain.
        self.uploaded.set()

    def is_gone(self, now: float) -> bool:
        """Whether it was deleted by its age."""
        return now >= (self.ended or self.created) + LIFE_SECONDS

    def result(self) -> Json | None:
        """What it made, or where to upload to."""
        if self.form is not None and not self.over.is_set():
            return {"form": self.form}
        if self.status != FINISHED:
            return None
        if self.told is not None:
            return {"files": list(self.told)}
        return {"files": [told(one) for one in self.files]}

    def to_json(self, base: str, new_task: str = WAITING) -> Json:
        """The vendor's object; `new_task` is what one that waits within a job is called."""
        is_new = self.status == WAITING and self.job is not None and self.form is None
        named = {} if self.job is None else {"name": self.name}
        return {
            "id": self.id,
            "job_id": self.job,
            **named,
            "operation": self.operation,
            "status": new_task if is_new else self.status,
            "message": self.message,
            "code": self.code,
            "credits": self.credits,
            "percent": 100 if self.over.is_set() else 0,
            "created_at": shown(self.created),
            "started_at": shown(self.started),
            "ended_at": shown(self.ended),
            "retry_of_task_id": self.retry_of,
            "copy_of_task_id": None,
            "engine": None,
            "engine_version": None,
            "host_name": None,
            "storage": None,
            "result": self.result(),
            "depends_on_task_ids": list(self.inputs),
            "links": {"self": f"{base}/v2/tasks/{self.id}"},
        }


def told(file: MadeFile) -> Json:
    """A file as `result.files` has it."""
    size = len(file.body) if file.claimed is None else file.claimed
    return {"filename": file.filename, **({"dir": file.dir} if file.dir else {}), "size": size}


def shown(seconds: float | None) -> str | None:
    """A time as the vendor writes it: `2018-09-19T14:42:58+00:00`."""
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC).isoformat()
