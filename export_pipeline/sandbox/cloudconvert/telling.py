"""Jobs and tasks as calls and webhooks tell them (FACTS 4.2 and 4.3)."""

from collections.abc import Callable, Collection, Mapping

from export_pipeline.sandbox.cloudconvert.jobs import Job
from export_pipeline.sandbox.cloudconvert.options import CloudConvertOptions
from export_pipeline.sandbox.cloudconvert.shelf import Shelf
from export_pipeline.sandbox.cloudconvert.tasks import Json, Task

RETRIES, INPUTS, PAYLOAD, JOB = "retries", "depends_on_tasks", "payload", "job"


def included(query: Mapping[str, str]) -> frozenset[str]:
    """What is to be told beside the rest, apart by commas."""
    return frozenset(query.get("include", "").split(","))


class Telling:
    """Tells of what lies on the shelf.

    Args:
        shelf: where the tasks are that others name.
        base: the API's URL, without `/v2`.
        options: the vendor's options, as they are now.
    """

    def __init__(self, shelf: Shelf, base: str, options: Callable[[], CloudConvertOptions]) -> None:
        self._shelf = shelf
        self._base = base
        self._options = options

    def job(self, job: Job, include: Collection[str] = (), *, tasks: bool = True) -> Json:
        """A job, with its tasks unless `tasks` says no."""
        told = job.to_json(self._base, self._options().new_job)
        return {**told, "tasks": [self.task(one, include) for one in job.tasks]} if tasks else told

    def task(self, task: Task, include: Collection[str] = ()) -> Json:
        """A task."""
        told = task.to_json(self._base, self._options().new_task)
        if PAYLOAD in include or self._options().payloads == "always":
            told[PAYLOAD] = task.payload
        if RETRIES in include:
            retries = self._shelf.retries_of(task)
            told[RETRIES] = [self.task(one) for one in retries]
        if INPUTS in include:
            inputs = (self._shelf.any_task(one) for one in task.inputs)
            told[INPUTS] = [self.task(one) for one in inputs if one is not None]
        if JOB in include:
            job = self._shelf.job_of(task)
            told[JOB] = None if job is None else self.job(job, tasks=False)
        return told
