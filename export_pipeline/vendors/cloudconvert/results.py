"""What a job came to: the tasks that hold its results, and the one to blame if it failed."""

from collections.abc import Sequence

from export_pipeline.vendors.cloudconvert.models import (
    ERROR,
    EXPORT_URL,
    FINISHED,
    INPUT_TASK_FAILED,
    Job,
    Task,
)


def results(job: Job) -> list[Task]:
    """The finished tasks with files that nothing but exports goes on from, in order of id."""
    used = {name for task in job.tasks if not task.is_export for name in task.inputs}
    ends = [
        task
        for task in job.tasks
        if task.status == FINISHED and task.files and not task.is_export and task.id not in used
    ]
    return sorted(ends, key=lambda task: task.id)


def culprits(tasks: Sequence[Task]) -> list[Task]:
    """The failed tasks that failed of themselves; where none is told, those that say so."""
    failed = [task for task in tasks if task.status == ERROR]
    first = [task for task in failed if task.code != INPUT_TASK_FAILED]
    return first or failed


def cause(job: Job) -> str:
    """Why a job failed: the earlier task that is the cause, in the vendor's own words."""
    failed = [task for task in job.tasks if task.status == ERROR]
    to_blame = culprits(failed)
    words = "; ".join(task.words for task in to_blame)
    lost = [task for task in failed if task not in to_blame]
    if not words:
        return f"job {job.id} failed without a reason"
    names = ", ".join(task.name or task.id for task in lost)
    return f"{words}; so {names} failed too" if lost else words


def has_links(job: Job, inputs: Sequence[Task]) -> bool:
    """Whether a job exported by URL whatever those of its tasks made."""
    links = [task for task in job.exports if task.operation == EXPORT_URL]
    covered = {name for task in links for name in task.inputs}
    is_whole = all(task.status == FINISHED for task in links)
    return bool(links) and is_whole and {task.id for task in inputs} <= covered
