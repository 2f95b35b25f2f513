"""Every payload that comes from CloudConvert (FACTS 4.2, 4.3 and 4.6), as much of it as is used."""

from datetime import timedelta
from typing import Annotated, Any, Self, TypeVar

from pydantic import BeforeValidator, Field, ValidationError

from export_pipeline.vendors.fields import Moment, end_of
from export_pipeline.vendors.payloads import Incoming

FINISHED = "finished"
ERROR = "error"
EXPORT = "export/"
EXPORT_URL = "export/url"
KEPT = timedelta(hours=24)
"""From the end of a task until the vendor deletes it (seed 003)."""
INPUT_TASK_FAILED = "INPUT_TASK_FAILED"
CREDITS_EXCEEDED = "CREDITS_EXCEEDED"


_Told = TypeVar("_Told")
_Object = Annotated[_Told, BeforeValidator(lambda value: {} if value == [] else value)]
"""PHP writes an object without members as a list."""


class File(Incoming):
    """One file of a task; `url` is there after `export/url` alone, and opens it for anyone."""

    filename: str
    dir: str | None = None
    size: int | None = Field(None, ge=0)
    url: str | None = Field(None, repr=False)

    @property
    def path(self) -> str:
        """The vendor's own name of it, with its folder."""
        return f"{self.dir.rstrip('/')}/{self.filename}" if self.dir else self.filename


class Form(Incoming):
    """Where a waiting `import/upload` takes its file."""

    url: str = Field(repr=False)
    parameters: dict[str, Any] = Field(default_factory=dict, repr=False)


class Result(Incoming):
    """What a task made, or waits for; the form is kept nowhere."""

    files: list[File] | None = None
    form: Form | None = Field(None, exclude=True)


class _Ended(Incoming):
    id: str = Field(min_length=1)
    status: str | None = None
    created_at: Moment | None = None
    ended_at: Moment | None = None

    @property
    def is_over(self) -> bool:
        """Whether it ended; whatever else its status is called, it goes on (FACTS 4.2)."""
        return self.status in (FINISHED, ERROR)

    @property
    def expires_at(self) -> float | None:
        """When the vendor deletes it, seconds since the epoch; None before its end."""
        return end_of(self.ended_at, KEPT)


class Task(_Ended):
    """A task as the vendor shows it; other tasks that are told in it are kept nowhere."""

    job_id: str | None = None
    name: str | None = None
    operation: str = ""
    message: str | None = None
    code: str | None = None
    result: _Object[Result | None] = None
    depends_on_task_ids: list[str] | None = None
    depends_on_tasks: dict[str, Any] | list[Any] | None = Field(None, exclude=True)

    @property
    def files(self) -> list[File]:
        """What it made."""
        return (self.result and self.result.files) or []

    @property
    def is_export(self) -> bool:
        """Whether it brings what another one made."""
        return self.operation.startswith(EXPORT)

    @property
    def inputs(self) -> frozenset[str]:
        """Ids of the tasks that it works on, in each of the forms in which they are told."""
        told = self.depends_on_tasks or []
        if isinstance(told, dict):
            listed = [one for one in told.values() if isinstance(one, str)]
        else:
            listed = [str(one.get("id")) for one in told if isinstance(one, dict)]
        return frozenset([*(self.depends_on_task_ids or []), *listed])

    @property
    def words(self) -> str:
        """What it is and what it says, for a person."""
        named = f"task {self.name or self.id} ({self.operation})"
        said = ", ".join(one for one in (self.message, self.code) if one)
        return f"{named}: {said or 'no reason given'}"


class Job(_Ended):
    """A job as the vendor shows it; some listings leave its tasks out."""

    tag: str | None = None
    tasks: list[Task] = Field(default_factory=list)

    @classmethod
    def of_task(cls, task: Task, name: str) -> Self:
        """A single task as a job of that task alone, which has this name there.

        Its id is `name:` and the task's: by that the ledger knows what an order made.
        """
        named = task.model_copy(update={"name": name})
        times = {"created_at": task.created_at, "ended_at": task.ended_at}
        return cls(id=f"{name}:{task.id}", status=task.status, tasks=[named], **times)

    @property
    def exports(self) -> list[Task]:
        """Its export tasks, in order of name: as the vendor lists them is documented nowhere."""
        return sorted(
            (one for one in self.tasks if one.is_export), key=lambda one: (one.name or "", one.id)
        )


def place_of(made: str) -> tuple[str, str, str]:
    """Where what an order made is: `jobs` or `tasks`, its id, and the name of a single task."""
    name, _, its_id = made.rpartition(":")
    return "tasks" if name else "jobs", its_id, name


class JobAnswer(Incoming):
    """One job in its envelope."""

    data: Job


class TaskAnswer(Incoming):
    """One task in its envelope."""

    data: Task


class _Links(Incoming):
    next: str | None = None


class Page(Incoming):
    """One page of a list; there is no total, and `next` is null on the last one (FACTS 4.3)."""

    data: list[dict[str, Any]]
    links: _Links = _Links()


class JobEvent(Incoming):
    """The body of a webhook (FACTS 4.7)."""

    event: str = Field(min_length=1)
    job: Job

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return self.model_dump(mode="json", exclude_none=True)


class _Problem(Incoming):
    message: str = ""
    code: str = ""
    errors: _Object[dict[str, Any]] = Field(default_factory=dict)


def read_error(body: bytes) -> tuple[str, str, tuple[str, ...]]:
    """The code, the words and the fields of an error; no code if it is not the vendor's own."""
    try:
        found = _Problem.model_validate_json(body)
    except ValidationError:
        return "", body.decode(errors="replace"), ()
    named = "; ".join(f"{field}: {_first(said)}" for field, said in found.errors.items())
    words = ": ".join(one for one in (found.code, found.message, named) if one)
    return found.code, words, tuple(found.errors)


def _first(said: Any) -> str:
    return str(said[0]) if isinstance(said, list) and said else str(said)
