"""Asking after long operations, and ending them (FACTS 2.4)."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.laserfiche.entrance import Asked
from export_pipeline.sandbox.laserfiche.errors import invalid, not_found
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.laserfiche.tasks import SEARCH, Task, known


class TaskCalls:
    """Tells of tasks, each to the token that may ask after it."""

    def __init__(self, vendor: Laserfiche) -> None:
        self._vendor = vendor

    async def list_all(self, asked: Asked) -> Response:
        """How tasks stand, held until one is over."""
        vendor, ids = self._vendor, _ids(asked.request)
        vendor.stats.asked(len(ids))
        await vendor.tasks.wait(self._known(asked, ids), vendor.options.hold_seconds)
        now = vendor.clock.now()
        told = [task.to_json(now) for task in self._known(asked, ids)]
        return JSONResponse({"@odata.context": "$metadata#Tasks", "value": told})

    async def cancel(self, asked: Asked) -> Response:
        """Cancel tasks, all of the token's without ids; a search is closed."""
        now, told = self._vendor.clock.now(), []
        for task in self._known(asked, _ids(asked.request)):
            if task.has_ended(now) and task.kind != SEARCH:
                raise invalid("Cannot cancel ended operation.")
            task.is_cancelled = not task.has_ended(now)
            task.is_forgotten = task.kind == SEARCH
            told.append({"id": task.id, "taskType": task.kind, "result": True})
        return JSONResponse({"@odata.context": "$metadata#Tasks", "value": told})

    def _known(self, asked: Asked, ids: Sequence[str]) -> list[Task]:
        options = self._vendor.options
        tasks = known(self._vendor.tasks.of(asked.token, options.tasks_of), ids)
        if ids and len(tasks) < len(set(ids)) and options.unknown_task == "refused":
            raise not_found("Requested task was not found.")
        return tasks


def _ids(request: Request) -> list[str]:
    """The ids of a question, the name repeated or apart by commas."""
    given = request.query_params.getlist("taskIds")
    return [one for text in given for one in text.split(",") if one]
