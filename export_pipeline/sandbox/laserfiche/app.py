"""The HTTP API of Laserfiche, as far as exports and finding documents go, and its file host."""

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.faults import Faults
from export_pipeline.sandbox.files import file_response
from export_pipeline.sandbox.laserfiche.accounts import Accounts, Token
from export_pipeline.sandbox.laserfiche.contents import disposition
from export_pipeline.sandbox.laserfiche.entries import FOLDER, Entries
from export_pipeline.sandbox.laserfiche.errors import (
    ProblemError,
    invalid,
    not_found,
    too_many,
)
from export_pipeline.sandbox.laserfiche.exporting import Exporting
from export_pipeline.sandbox.laserfiche.faults import CUT, DROP, FOREIGN, KNOWN, answer
from export_pipeline.sandbox.laserfiche.links import Links
from export_pipeline.sandbox.laserfiche.odata import Row, listing
from export_pipeline.sandbox.laserfiche.options import LaserficheOptions
from export_pipeline.sandbox.laserfiche.orders import read_order
from export_pipeline.sandbox.laserfiche.search import find
from export_pipeline.sandbox.laserfiche.stats import Stats
from export_pipeline.sandbox.laserfiche.tasks import SEARCH, Task, Tasks, known
from export_pipeline.sandbox.limits import Limit, SlidingWindows
from export_pipeline.sandbox.media_types import FORM, JSON, is_called
from export_pipeline.sandbox.routing import DropConnectionError, Handler

OPEN_SEARCHES = 2
SIMPLE_RESULTS = 100
REPOSITORY = "/v2/Repositories/{repository}"
REASONS: tuple[Row, ...] = (
    {"id": 1, "name": "Legal hold", "auditEventType": "ExportDocument"},
    {"id": 2, "name": "Archival", "auditEventType": "ExportDocument"},
    {"id": 3, "name": "Obsolete", "auditEventType": "DeleteEntry"},
)
FOREIGN_ORIGIN = "http://elsewhere.invalid"


@dataclass(frozen=True)
class Asked:
    """A call that was let in."""

    request: Request
    params: Mapping[str, str]
    token: Token
    fault: str

    @property
    def context(self) -> str:
        """What every OData answer begins with."""
        return f"$metadata#Repositories('{self.params.get('repository', '')}')"


Work = Callable[[Asked], Awaitable[Response]]


class Laserfiche:
    """State and handlers of the vendor; nothing goes on in the background."""

    def __init__(self, options: LaserficheOptions, clock: Clock, base: str, files: str) -> None:
        self.options = options
        self.clock = clock
        self.base = base
        self.accounts = Accounts(clock, options.accounts)
        self.entries = Entries(clock.now())
        self.tasks = Tasks(clock)
        self.links = Links(files, clock)
        self.windows = SlidingWindows(clock)
        self.faults = Faults(KNOWN)
        self.stats = Stats()
        self.exporting = Exporting(clock, self.links, self.stats, lambda: self.options)

    def routes(self) -> dict[str, Handler]:
        """The vendor's paths, below its base URL."""
        call = self._call
        entry = f"{REPOSITORY}/Entries/{{entry}}"
        return {
            "POST /v1/Repositories/{repository}/Token": self.log_in,
            "POST /oauth/Token": self.log_in_to_cloud,
            "POST /oauth/token": self.log_in_to_cloud,
            "GET /v2/Repositories": call("repositories", self.repositories),
            f"GET {REPOSITORY}/AuditReasons": call("reasons", self.reasons),
            f"GET {REPOSITORY}/Entries/ByPath": call("entry", self.by_path),
            f"GET {entry}": call("entry", self.entry),
            f"GET {entry}/Folder/Children": call("children", self.children),
            f"POST {entry}/Export": call("export", self.export),
            f"POST {entry}/ExportAsync": call("start", self.start),
            f"GET {REPOSITORY}/Tasks": call("tasks", self.list_tasks, scoped=False),
            f"DELETE {REPOSITORY}/Tasks": call("cancel", self.cancel_tasks, scoped=False),
            f"POST {REPOSITORY}/SimpleSearches": call("search", self.simple_search),
            f"POST {REPOSITORY}/Searches/SearchAsync": call("search", self.search),
            f"GET {REPOSITORY}/Searches/{{task}}/Results": call("results", self.results),
        }

    def file_routes(self) -> dict[str, Handler]:
        """The paths of the file host, below its own."""
        return {"GET /downloads/{number}/{name}": self.file}

    async def log_in(self, request: Request, params: dict[str, str]) -> Response:
        """Self-hosted (FACTS 2.1); the path's version is 1."""
        form = await self._form(request)
        if params["repository"] != self.options.repository:
            raise not_found("Repository is not found.")
        return self._logged_in(self.accounts.by_password(form))

    async def log_in_to_cloud(self, request: Request, _: dict[str, str]) -> Response:
        """As a service app (FACTS 2.1)."""
        form = await self._form(request)
        told = self.accounts.by_assertion(form, request.headers.get("Authorization"))
        return self._logged_in(told)

    async def repositories(self, _: Asked) -> Response:
        """The one there is."""
        name = self.options.repository
        one = {"id": name, "name": "Sandbox", "webClientUrl": f"{self.base}/client/{quote(name)}"}
        return JSONResponse({"@odata.context": "$metadata#Repositories", "value": [one]})

    async def reasons(self, asked: Asked) -> Response:
        """Audit reasons (FACTS 2.6)."""
        return self._listed(asked, REASONS, "AuditReasons")

    async def entry(self, asked: Asked) -> Response:
        """One entry, with what its type has."""
        told = self.entries.told(self.entries.get(asked.params["entry"]))
        return JSONResponse({"@odata.context": f"{asked.context}/entries", **told})

    async def by_path(self, asked: Asked) -> Response:
        """One entry by its full path, or the nearest that there is."""
        path = asked.request.query_params.get("fullPath", "")
        found, ancestor = self.entries.by_path(path), None
        falls_back = asked.request.query_params.get("fallbackToClosestAncestor", "") == "true"
        while found is None and ancestor is None and falls_back and path.strip("\\"):
            path = path.rstrip("\\").rpartition("\\")[0]
            ancestor = self.entries.by_path(path)
        if found is None and ancestor is None:
            raise not_found("Entry path was not found.")
        told = {"entry": found, "ancestorEntry": ancestor}
        shown = {name: one and self.entries.told(one) for name, one in told.items()}
        return JSONResponse({"@odata.context": "$metadata#EntryByPath", **shown})

    async def children(self, asked: Asked) -> Response:
        """What lies in a folder."""
        folder = self.entries.get(asked.params["entry"])
        if folder.spec.type != FOLDER:
            raise invalid("The entry is not a folder.")
        rows = [self.entries.listed(one) for one in self.entries.children(folder.id)]
        return self._listed(asked, rows, f"Entries/{folder.id}/Folder/Children")

    async def export(self, asked: Asked) -> Response:
        """Export while the caller waits (seed 001)."""
        entry = self.entries.get(asked.params["entry"])
        order = await self._order(asked)
        link = await self.exporting.at_once(entry, order)
        context = f"{asked.context}/entries({entry.id})/Export"
        return JSONResponse({"@odata.context": context, "value": link})

    async def start(self, asked: Asked) -> Response:
        """Export as a task (seed 001)."""
        entry = self.entries.get(asked.params["entry"])
        order = await self._order(asked)
        self._require_operation(asked.token)
        task = self.exporting.start(self.tasks, asked.token, entry, order)
        return self._started(asked, task, f"entries({entry.id})/ExportAsync")

    async def list_tasks(self, asked: Asked) -> Response:
        """How tasks stand, held until one is over (FACTS 2.4)."""
        ids = _ids(asked.request)
        self.stats.asked(len(ids))
        tasks = self._known_tasks(asked, ids)
        await self.tasks.wait(tasks, self.options.hold_seconds)
        now = self.clock.now()
        told = [task.to_json(now) for task in self._known_tasks(asked, ids)]
        return JSONResponse({"@odata.context": "$metadata#Tasks", "value": told})

    async def cancel_tasks(self, asked: Asked) -> Response:
        """Cancel tasks, all of the token's without ids; a search is closed (FACTS 2.4)."""
        now, told = self.clock.now(), []
        for task in self._known_tasks(asked, _ids(asked.request)):
            if task.has_ended(now) and task.kind != SEARCH:
                raise invalid("Cannot cancel ended operation.")
            task.is_cancelled = not task.has_ended(now)
            task.is_forgotten = task.kind == SEARCH
            told.append({"id": task.id, "taskType": task.kind, "result": True})
        return JSONResponse({"@odata.context": "$metadata#Tasks", "value": told})

    async def simple_search(self, asked: Asked) -> Response:
        """The first finds of a search, at once."""
        found = self._found(await self._command(asked))
        context = f"{asked.context}/SimpleSearches"
        told = {"@odata.context": context, "value": found[:SIMPLE_RESULTS]}
        return JSONResponse(told, 206 if len(found) > SIMPLE_RESULTS else 200)

    async def search(self, asked: Asked) -> Response:
        """A search as a task; its results stay until it is closed."""
        command = await self._command(asked)
        self._found(command)
        self._require_operation(asked.token)
        if self.tasks.open_searches(asked.token.account) >= OPEN_SEARCHES:
            self.windows.violations["open_searches"] += 1
            raise self._limited("Search limit is reached.", 1)
        seconds = self.options.limits.work_seconds
        task = self.tasks.start(SEARCH, asked.token, 0, seconds, lambda: "")
        task.outcome = lambda: f"/Searches/{task.id}/Results"
        task.command = command
        return self._started(asked, task, "Searches/SearchAsync")

    async def results(self, asked: Asked) -> Response:
        """What a search found."""
        tasks = known(self.tasks.of(asked.token, self.options.tasks_of), [asked.params["task"]])
        if not tasks or tasks[0].status(self.clock.now()) != "Completed":
            raise not_found("Request taskId not found.")
        path = f"Searches/{tasks[0].id}/Results"
        return self._listed(asked, self._found(tasks[0].command), path)

    async def file(self, request: Request, params: dict[str, str]) -> Response:
        """The file behind a link."""
        self.stats.calls["file"] += 1
        fault = self.faults.take("file")
        if refusal := answer(fault):
            raise refusal
        link = self.links.get(params["number"], request.query_params, self.options.dead_link)
        if request.headers.get("Authorization"):
            self.stats.credentials_at_files += 1
        cut_after = len(link.file.body) // 2 if fault == CUT or link.cut else None
        link.cut = False
        if not self.options.ranges:
            headers = [one for one in request.scope["headers"] if one[0] != b"range"]
            request = Request({**request.scope, "headers": headers})
        named = {"Content-Disposition": disposition(link.name)}
        return file_response(request, link.file, named, cut_after=cut_after)

    def _call(self, operation: str, work: Work, *, scoped: bool = True) -> Handler:
        """Let in, count and maybe spoil a call before it does its work."""

        async def handle(request: Request, params: dict[str, str]) -> Response:
            self.stats.calls[operation] += 1
            token = self._enter(request, params, operation, scoped=scoped)
            fault = self.faults.take(operation)
            if refusal := answer(fault):
                raise refusal
            response = await work(Asked(request, params, token, fault))
            if fault == DROP:
                raise DropConnectionError
            return response

        return handle

    def _enter(
        self, request: Request, params: Mapping[str, str], operation: str, *, scoped: bool
    ) -> Token:
        token = self.accounts.of(request.headers.get("Authorization"))
        pace = self.options.limits
        limit = Limit("calls_per_minute", pace.calls_per_minute, 60)
        if operation in ("export", "start"):
            limit = Limit("exports_per_minute", pace.exports_per_minute, 60)
        wait = self.windows.take(token.account, [limit])
        if wait is not None:
            raise self._limited("Rate limit is reached.", wait)
        if scoped and not token.may_read:
            raise ProblemError(403, "Access denied for the operation.", "The scope is missing.")
        if params.get("repository", self.options.repository) != self.options.repository:
            raise not_found("Repository is not found.")
        return token

    def _require_operation(self, token: Token) -> None:
        """Exports and searches are counted together: a long operation is one or the other."""
        most = self.options.limits.long_operations
        if most and self.tasks.running(token.account) >= most:
            self.windows.violations["long_operations"] += 1
            raise self._limited("Operation limit is reached.", 1)

    def _limited(self, title: str, wait: float) -> ProblemError:
        return too_many(title, math.ceil(wait) if self.options.retry_after else None)

    async def _form(self, request: Request) -> dict[str, str]:
        self.stats.calls["login"] += 1
        if refusal := answer(self.faults.take("login")):
            raise refusal
        _require_type(request, FORM)
        return dict(parse_qsl((await request.body()).decode(errors="replace")))

    def _logged_in(self, told: dict[str, Any]) -> Response:
        self.stats.logins += 1
        return JSONResponse(told)

    async def _order(self, asked: Asked) -> Any:
        order = read_order(await _json(asked.request), asked.request.query_params.get("pageRange"))
        reasons = {one["id"] for one in REASONS if one["auditEventType"] == "ExportDocument"}
        is_wrong = order.reason is not None and order.reason not in reasons
        if is_wrong or (order.reason is None and self.options.audit_required):
            raise invalid("auditReasonId: an audit reason for exports is needed.")
        return order

    async def _command(self, asked: Asked) -> str:
        body = await _json(asked.request)
        command = body.get("searchCommand") if isinstance(body, dict) else None
        if not isinstance(command, str) or not command:
            raise invalid("searchCommand: a string is needed.")
        return command

    def _found(self, command: str) -> list[Row]:
        return find(command, [self.entries.listed(one) for one in self.entries.all()])

    def _known_tasks(self, asked: Asked, ids: list[str]) -> list[Task]:
        tasks = known(self.tasks.of(asked.token, self.options.tasks_of), ids)
        if ids and len(tasks) < len(set(ids)) and self.options.unknown_task == "refused":
            raise not_found("Requested task was not found.")
        return tasks

    def _started(self, asked: Asked, task: Task, path: str) -> Response:
        told = {"@odata.type": "#Laserfiche.Repository.StartTaskResponse", "taskId": task.id}
        return JSONResponse({"@odata.context": f"{asked.context}/{path}", **told}, 202)

    def _listed(self, asked: Asked, rows: Any, path: str) -> Response:
        url = f"{self.base}/v2/Repositories/{quote(self.options.repository, safe='')}/{path}"
        told = listing(asked.request, rows, url, f"{asked.context}/{path}")
        link = told.get("@odata.nextLink")
        if link and asked.fault == FOREIGN:
            told["@odata.nextLink"] = FOREIGN_ORIGIN + link.removeprefix(self.base)
        return JSONResponse(told)


def _ids(request: Request) -> list[str]:
    """The ids of a question, the name repeated or apart by commas (FACTS 2.4)."""
    given = request.query_params.getlist("taskIds")
    return [one for text in given for one in text.split(",") if one]


def _require_type(request: Request, media_type: str) -> None:
    if not is_called(request, media_type):
        raise ProblemError(415, "Unsupported Media Type")


async def _json(request: Request) -> Any:
    _require_type(request, JSON)
    try:
        return json.loads(await request.body())
    except ValueError:
        raise invalid("The body is no JSON.") from None
