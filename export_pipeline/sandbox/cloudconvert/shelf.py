"""All jobs and tasks that are still there."""

import itertools
import uuid
from collections.abc import Iterable, Iterator
from typing import TypeVar

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.cloudconvert.errors import not_found
from export_pipeline.sandbox.cloudconvert.jobs import Job
from export_pipeline.sandbox.cloudconvert.tasks import Task

T = TypeVar("T", Job, Task)
_NAMES = uuid.UUID("5a4d0c0d-0000-4000-8000-00000000cc00")


class Shelf:
    """Keeps jobs and tasks by id until they are deleted, by a call or by their age."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, Task] = {}
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """An id that no other job or task has."""
        return str(uuid.uuid5(_NAMES, str(next(self._numbers))))

    def add(self, job: Job) -> None:
        """Put a job here, with its tasks."""
        self._jobs[job.id] = job
        self.add_tasks(job.tasks)

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        """Put tasks here."""
        self._tasks |= {task.id: task for task in tasks}

    def job(self, account: int, job_id: str) -> Job:
        """One of an account, or a 404."""
        job = self._jobs.get(job_id)
        if job is None or job.account != account or job.is_gone(self._clock.now()):
            raise not_found()
        return job

    def task(self, account: int, task_id: str) -> Task:
        """One of an account, or a 404."""
        task = self.any_task(task_id)
        if task is None or task.account != account:
            raise not_found()
        return task

    def any_task(self, task_id: str) -> Task | None:
        """One of any account."""
        task = self._tasks.get(task_id)
        return None if task is None or task.is_gone(self._clock.now()) else task

    def job_of(self, task: Task) -> Job | None:
        """The job that it belongs to."""
        return self._jobs.get(task.job or "")

    def retries_of(self, task: Task) -> list[Task]:
        """The tasks that did the same again."""
        return [one for one in self.tasks(task.account) if one.retry_of == task.id]

    def jobs(self, account: int) -> Iterator[Job]:
        """Those of an account, the newest first."""
        now = self._clock.now()
        mine = [one for one in self._jobs.values() if one.account == account]
        return (one for one in _newest_first(mine) if not one.is_gone(now))

    def tasks(self, account: int) -> Iterator[Task]:
        """Those of an account, the newest first."""
        now = self._clock.now()
        mine = [one for one in self._tasks.values() if one.account == account]
        return (one for one in _newest_first(mine) if not one.is_gone(now))

    def holds(self, job: Job) -> bool:
        """Whether it is still there."""
        return job.id in self._jobs

    def remove_job(self, job: Job) -> None:
        """Delete it with all its tasks."""
        del self._jobs[job.id]
        for task in job.tasks:
            self._tasks.pop(task.id, None)

    def remove_task(self, task: Task) -> None:
        """Delete it, from its job too."""
        del self._tasks[task.id]
        job = self.job_of(task)
        if job is not None:
            job.tasks.remove(task)


def _newest_first(found: list[T]) -> list[T]:
    found.reverse()
    return sorted(found, key=lambda one: one.created, reverse=True)
