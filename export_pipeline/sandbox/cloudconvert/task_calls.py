"""Calls about tasks (FACTS 4.3)."""

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.cloudconvert.bodies import read_json
from export_pipeline.sandbox.cloudconvert.cloudconvert import CloudConvert
from export_pipeline.sandbox.cloudconvert.entrance import Asked, Work
from export_pipeline.sandbox.cloudconvert.listing import page_of
from export_pipeline.sandbox.cloudconvert.tasks import Json, Task
from export_pipeline.sandbox.cloudconvert.telling import included


class TaskCalls:
    """Handlers of one host; with `waits` they answer when the task is over."""

    def __init__(self, vendor: CloudConvert, *, waits: bool) -> None:
        self._vendor = vendor
        self._waits = waits

    def create(self, operation: str) -> Work:
        """The handler that begins a single task."""

        async def create(asked: Asked) -> Response:
            body = await read_json(asked.request)
            task = self._vendor.create_task(asked.account, operation, body)
            return await self._told(asked, task, 201)

        return create

    async def list_all(self, asked: Asked) -> Response:
        """Tasks by job, status and operation, the newest first."""
        query = asked.request.query_params
        found = (
            task
            for task in self._vendor.shelf.tasks(asked.account)
            if query.get("filter[job_id]") in (None, task.job)
            and query.get("filter[status]") in (None, task.status)
            and query.get("filter[operation]") in (None, task.operation)
        )
        rows, told = page_of(found, query, f"{self._vendor.base}/v2/tasks")
        return JSONResponse({"data": [self._shown(asked, task) for task in rows], **told})

    async def get(self, asked: Asked) -> Response:
        """One task."""
        return await self._told(asked, self._named(asked))

    async def delete(self, asked: Asked) -> Response:
        """Delete a task; its files and their links go with it."""
        self._vendor.delete_task(self._named(asked))
        return Response(status_code=204)

    async def cancel(self, asked: Asked) -> Response:
        """End a task that is not over."""
        task = self._named(asked)
        self._vendor.cancel(task)
        return await self._told(asked, task)

    async def retry(self, asked: Asked) -> Response:
        """Begin a task anew."""
        return await self._told(asked, self._vendor.retry(self._named(asked)), 201)

    def _named(self, asked: Asked) -> Task:
        return self._vendor.shelf.task(asked.account, asked.params["id"])

    async def _told(self, asked: Asked, task: Task, status: int = 200) -> Response:
        # An upload is waited for by nobody: its form must be told first.
        if self._waits and not (task.form is not None and asked.request.method == "POST"):
            await task.over.wait()
        return JSONResponse({"data": self._shown(asked, task)}, status)

    def _shown(self, asked: Asked, task: Task) -> Json:
        return self._vendor.telling.task(task, included(asked.request.query_params))
