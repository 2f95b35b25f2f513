"""CloudConvert itself: what it keeps, and what can be done with jobs and tasks."""

from collections.abc import Callable

from export_pipeline.sandbox.background import Background
from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.cloudconvert.calling import open_session
from export_pipeline.sandbox.cloudconvert.errors import InvalidData, too_many_jobs
from export_pipeline.sandbox.cloudconvert.exporting import Exporting
from export_pipeline.sandbox.cloudconvert.faults import KNOWN
from export_pipeline.sandbox.cloudconvert.importing import Importing
from export_pipeline.sandbox.cloudconvert.jobs import Job
from export_pipeline.sandbox.cloudconvert.links import Links
from export_pipeline.sandbox.cloudconvert.options import CloudConvertOptions
from export_pipeline.sandbox.cloudconvert.ordering import Ordering
from export_pipeline.sandbox.cloudconvert.running import Running
from export_pipeline.sandbox.cloudconvert.shelf import Shelf
from export_pipeline.sandbox.cloudconvert.stats import Stats
from export_pipeline.sandbox.cloudconvert.tasks import ERROR, Json, Task
from export_pipeline.sandbox.cloudconvert.telling import Telling
from export_pipeline.sandbox.cloudconvert.webhooks import (
    JOB_CREATED,
    JOB_FAILED,
    JOB_FINISHED,
    Webhook,
    Webhooks,
    account_of,
)
from export_pipeline.sandbox.faults import Faults


class CloudConvert:
    """State of the vendor; lives in one event loop, `close` ends its work.

    Args:
        options: how it behaves.
        clock: tells the time and waits.
        base: the API's URL, without `/v2`.
        files: the URL of the host of its files.
    """

    def __init__(self, options: CloudConvertOptions, clock: Clock, base: str, files: str) -> None:
        self.options = options
        self.clock = clock
        self.base = base
        self.stats = Stats()
        self.faults = Faults(KNOWN)
        self.shelf = Shelf(clock)
        self.telling = Telling(self.shelf, base, self._now)
        self.links = Links(files, clock)
        self.ordering = Ordering(self.shelf.new_id, files)
        self.background = Background()
        self._session = open_session()
        self.webhooks = Webhooks(clock, self._session, self.background, self.stats, self._now)
        self.exporting = Exporting(self._session, self.links, self.stats, self._now)
        importing = Importing(self._session, self._now)
        self.running = Running(
            clock, self.background, self.faults, importing, self.exporting, self._now
        )

    async def close(self) -> None:
        """End all work and close all connections."""
        await self.background.stop()
        await self._session.close()

    def create_job(self, account: int, body: Json, *, redirects: bool = False) -> Job:
        """Begin the job of a body; one that `redirects` must have an export/url."""
        takes_ids = self.options.job_inputs == "names_and_ids"
        is_task = self._tasks_of(account) if takes_ids else lambda _: False
        job = self.ordering.job(account, body, self.clock.now(), is_task)
        if redirects and all(one.operation != "export/url" for one in job.tasks):
            raise InvalidData({"redirect": ["The job must have an export/url task."]})
        if self._is_busy(account):
            raise too_many_jobs()
        self.stats.created.append({"id": job.id, "tag": job.tag})
        self.shelf.add(job)
        if job.webhook_url is not None:
            secret = account_of(self.options, account).webhook_secret
            ends = (JOB_FINISHED, JOB_FAILED)
            own = Webhook(job.id, account, job.webhook_url, ends, secret, is_own=True)
            self.webhooks.add(own)
        self._tell(JOB_CREATED, job, "")
        self.running.start_job(job, self._inputs, self._ended)
        return job

    def create_task(self, account: int, operation: str, body: Json) -> Task:
        """Begin the single task of a body."""
        now, is_task = self.clock.now(), self._tasks_of(account)
        return self._begin(self.ordering.task(account, operation, body, now, is_task))

    def retry(self, task: Task) -> Task:
        """Begin a task anew, as another one (FACTS 4.3)."""
        if not task.over.is_set():
            raise InvalidData({"status": ["Cannot retry: task is not completed yet."]})
        payload = {**task.payload, **({"input": list(task.inputs)} if task.inputs else {})}
        del payload["operation"]
        again = self.ordering.task(
            task.account, task.operation, payload, self.clock.now(), lambda _: True
        )
        again.retry_of = task.id
        return self._begin(again)

    def cancel(self, task: Task) -> None:
        """End a task that is not over."""
        if task.over.is_set():
            raise InvalidData({"status": ["Cannot change status: task already completed."]})
        self._cancel(task)

    def delete_task(self, task: Task) -> None:
        """Forget a task, and end what it does."""
        self.stats.deleted.append(task.id)
        self.shelf.remove_task(task)
        self._cancel(task)

    def delete_job(self, job: Job) -> None:
        """Forget a job with its tasks, and end what they do."""
        self.stats.deleted.append(job.id)
        self.shelf.remove_job(job)
        for task in job.tasks:
            self._cancel(task)

    def _is_busy(self, account: int) -> bool:
        most = self.options.jobs_at_once
        if not most:
            return False
        return sum(not one.over.is_set() for one in self.shelf.jobs(account)) >= most

    def _cancel(self, task: Task) -> None:
        task.end(self.clock.now(), code="CANCELLED", message="The task has been cancelled")

    def _begin(self, task: Task) -> Task:
        made = {"id": task.id, "operation": task.operation, "input": list(task.inputs)}
        self.stats.created.append(made)
        self.shelf.add_tasks([task])
        self.running.start([task], self._inputs)
        return task

    def _tasks_of(self, account: int) -> Callable[[str], bool]:
        """Whether an id is that of one of the account's tasks."""

        def is_task(task_id: str) -> bool:
            task = self.shelf.any_task(task_id)
            return task is not None and task.account == account

        return is_task

    def _inputs(self, task: Task) -> list[Task]:
        found = (self.shelf.any_task(one) for one in task.inputs)
        return [one for one in found if one is not None]

    def _ended(self, job: Job) -> None:
        if not self.shelf.holds(job):
            return
        event = JOB_FAILED if job.status == ERROR else JOB_FINISHED
        self._tell(event, job, self.faults.take("webhook"))

    def _tell(self, event: str, job: Job, fault: str) -> None:
        told = self.telling.job(job)
        if self.options.told_job == "null":
            told["status"] = None
        self.webhooks.tell(event, job, told, fault)

    def _now(self) -> CloudConvertOptions:
        return self.options
