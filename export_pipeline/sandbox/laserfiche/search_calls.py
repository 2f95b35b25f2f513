"""Searches, at once or as a task (FACTS 2.7)."""

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.laserfiche.entrance import Asked
from export_pipeline.sandbox.laserfiche.errors import invalid, not_found
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.laserfiche.odata import Row
from export_pipeline.sandbox.laserfiche.search import find
from export_pipeline.sandbox.laserfiche.tasks import SEARCH, known
from export_pipeline.sandbox.laserfiche.telling import json_of, listed, started

OPEN_SEARCHES = 2
SIMPLE_RESULTS = 100


class SearchCalls:
    """Finds entries."""

    def __init__(self, vendor: Laserfiche) -> None:
        self._vendor = vendor

    async def simple(self, asked: Asked) -> Response:
        """The first finds of a search, at once."""
        found = self._found(await _command(asked))
        context = f"{asked.context}/SimpleSearches"
        told = {"@odata.context": context, "value": found[:SIMPLE_RESULTS]}
        return JSONResponse(told, 206 if len(found) > SIMPLE_RESULTS else 200)

    async def start(self, asked: Asked) -> Response:
        """A search as a task; its results stay until it is closed."""
        vendor, command = self._vendor, await _command(asked)
        self._found(command)
        vendor.require_operation(asked.token)
        if vendor.tasks.open_searches(asked.token.account) >= OPEN_SEARCHES:
            vendor.windows.violations["open_searches"] += 1
            raise vendor.limited("Search limit is reached.", 1)
        seconds = vendor.options.limits.work_seconds
        task = vendor.tasks.start(SEARCH, asked.token, 0, seconds, lambda: "")
        task.outcome = lambda: f"/Searches/{task.id}/Results"
        task.command = command
        return started(asked, task, "Searches/SearchAsync")

    async def results(self, asked: Asked) -> Response:
        """What a search found."""
        vendor = self._vendor
        of_token = vendor.tasks.of(asked.token, vendor.options.tasks_of)
        tasks = known(of_token, [asked.params["task"]])
        if not tasks or tasks[0].status(vendor.clock.now()) != "Completed":
            raise not_found("Request taskId not found.")
        path = f"Searches/{tasks[0].id}/Results"
        return listed(vendor, asked, self._found(tasks[0].command), path)

    def _found(self, command: str) -> list[Row]:
        entries = self._vendor.entries
        return find(command, [entries.listed(one) for one in entries.all()])


async def _command(asked: Asked) -> str:
    body = await json_of(asked.request)
    command = body.get("searchCommand") if isinstance(body, dict) else None
    if not isinstance(command, str) or not command:
        raise invalid("searchCommand: a string is needed.")
    return command
