"""Jobs at work: each task begins when its inputs are over, and a job ends with its last task."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from export_pipeline.sandbox.background import Background
from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.cloudconvert.calling import CallError
from export_pipeline.sandbox.cloudconvert.converting import CONVERSIONS, NotConvertible
from export_pipeline.sandbox.cloudconvert.exporting import Exporting
from export_pipeline.sandbox.cloudconvert.faults import (
    FAILS,
    NEVER_ENDS,
    SLOW,
    SLOW_SECONDS,
    TRUNCATED,
)
from export_pipeline.sandbox.cloudconvert.importing import Importing
from export_pipeline.sandbox.cloudconvert.jobs import Job
from export_pipeline.sandbox.cloudconvert.options import CloudConvertOptions
from export_pipeline.sandbox.cloudconvert.tasks import FINISHED, INPUT_TASK_FAILED, MadeFile, Task
from export_pipeline.sandbox.faults import Faults

CONVERTED_CREDITS = 1
_CODES = {"import": "IMPORT_FAILED", "export": "EXPORT_FAILED"}


class Running:
    """Does tasks, in the background.

    Args:
        clock: tells the time and waits.
        background: where the work goes on.
        faults: what was planned for tasks.
        importing: does those that import.
        exporting: does those that export.
        options: the vendor's options, as they are now.
    """

    def __init__(
        self,
        clock: Clock,
        background: Background,
        faults: Faults,
        importing: Importing,
        exporting: Exporting,
        options: Callable[[], CloudConvertOptions],
    ) -> None:
        self._clock = clock
        self._background = background
        self._faults = faults
        self._importing = importing
        self._exporting = exporting
        self._options = options

    def start(self, tasks: Sequence[Task], inputs: Callable[[Task], list[Task]]) -> None:
        """Begin tasks, each with what it takes its files from."""
        for task in tasks:
            self._background.start(self._run(task, inputs(task)))

    def start_job(
        self, job: Job, inputs: Callable[[Task], list[Task]], ended: Callable[[Job], None]
    ) -> None:
        """Begin the tasks of a job, and call `ended` when all are over."""
        self.start(job.tasks, inputs)
        self._background.start(self._end(job, list(job.tasks), ended))

    async def _end(self, job: Job, tasks: Sequence[Task], ended: Callable[[Job], None]) -> None:
        await asyncio.gather(*(task.over.wait() for task in tasks))
        job.end(self._clock.now())
        ended(job)

    async def _run(self, task: Task, inputs: Sequence[Task]) -> None:
        await asyncio.gather(*(one.over.wait() for one in inputs))
        if task.over.is_set():
            return None
        if not _may_begin(task, inputs):
            message = "Input task has failed"
            return task.end(self._clock.now(), code=INPUT_TASK_FAILED, message=message)
        if task.form is None:
            task.begin(self._clock.now())
        files = [file for one in inputs for file in one.files]
        try:
            await self._work(task, files)
        except (CallError, NotConvertible) as error:
            code = _CODES.get(task.kind, "CONVERSION_FAILED")
            task.end(self._clock.now(), code=code, message=str(error))
        except Exception:
            task.end(self._clock.now(), code="INTERNAL_ERROR", message="An unknown error occurred")
            raise
        else:
            task.end(self._clock.now())

    async def _work(self, task: Task, files: Sequence[MadeFile]) -> None:
        fault = self._faults.take(task.kind)
        if fault == NEVER_ENDS:
            await asyncio.Event().wait()
        seconds = self._options().limits.work_seconds + (SLOW_SECONDS if fault == SLOW else 0)
        await self._clock.sleep(seconds)
        if fault == FAILS:
            raise CallError("The task failed for an unknown reason")
        if task.kind == "import":
            await self._importing.run(task)
        elif task.kind == "export":
            await self._exporting.run(task, files, fault)
        else:
            await self._convert(task, files, fault)

    async def _convert(self, task: Task, files: Sequence[MadeFile], fault: str) -> None:
        make = CONVERSIONS[task.operation]
        task.files = await asyncio.to_thread(make, task.payload, files)
        task.credits = CONVERTED_CREDITS
        if fault == TRUNCATED:
            task.files = [_truncated(file) for file in task.files]


def _may_begin(task: Task, inputs: Sequence[Task]) -> bool:
    """Whether no input is gone, none failed whose errors count, and one at least is well."""
    failed = [one for one in inputs if one.status != FINISHED]
    is_whole = len(inputs) == len(task.inputs) and all(one.ignore_error for one in failed)
    return is_whole and (not inputs or len(failed) < len(inputs))


def _truncated(file: MadeFile) -> MadeFile:
    size = len(file.body)
    return replace(file, body=file.body[: size // 2], claimed=size)
