"""The HTTP API of HookBridge, as far as its exports go, and the store behind its links."""

import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.clock import Clock
from export_pipeline.sandbox.faults import Faults
from export_pipeline.sandbox.files import file_response
from export_pipeline.sandbox.hookbridge.errors import (
    EnvelopeError,
    invalid,
    request_name,
    store_error,
    too_many,
    unauthorized,
)
from export_pipeline.sandbox.hookbridge.exports import TRAITS, Export, Exports, ExportSpec
from export_pipeline.sandbox.hookbridge.faults import CHANGED, CUT, DEAD, DROP, KNOWN, answer
from export_pipeline.sandbox.hookbridge.links import Links, dead_link
from export_pipeline.sandbox.hookbridge.options import HookBridgeOptions
from export_pipeline.sandbox.limits import Limit, SlidingWindows
from export_pipeline.sandbox.media_types import JSON, is_called
from export_pipeline.sandbox.routing import DropConnectionError, Handler

Params = dict[str, str]
Work = Callable[[Request, str, Params], Awaitable[Response]]
"""Does a call for the project whose key it carries."""


class HookBridge:
    """State and handlers of the vendor; nothing goes on in the background."""

    def __init__(self, options: HookBridgeOptions, clock: Clock, files: str) -> None:
        self.options = options
        self.clock = clock
        self.exports = Exports()
        self.links = Links(files, clock)
        self.windows = SlidingWindows(clock)
        self.faults = Faults(KNOWN)
        self.calls: Counter[str] = Counter()
        self.created: list[Export] = []
        self.deleted: list[str] = []

    def routes(self) -> dict[str, Handler]:
        """The vendor's paths, below its base URL."""
        return {
            "POST /v1/exports": self._call("create", self.create),
            "GET /v1/exports": self._call("list", self.list_all),
            "GET /v1/exports/{id}": self._call("get", self.get),
            "GET /v1/exports/{id}/download": self._call("download", self.download),
            "DELETE /v1/exports/{id}": self._call("delete", self.delete),
        }

    def file_routes(self) -> dict[str, Handler]:
        """The paths of the store, below its own."""
        return {"GET /exports/{project}/{file}": self.file}

    async def create(self, request: Request, project: str, _: Params) -> Response:
        """Begin an export; a repeat makes another (FACTS 3.2: there is no idempotency key)."""
        body = await _json(request)
        fault = request.state.fault
        traits = (fault,) if fault in TRAITS else ()
        spec = ExportSpec(body, traits, age_seconds=0.0, project=project)
        self._require_room(project)
        export = self.exports.create(spec, self.options, self.clock.now())
        self.created.append(export)
        return self._told(request, export.to_json(self.clock.now()), self.options.created)

    async def list_all(self, request: Request, project: str, _: Params) -> Response:
        """All of the project at once, or its newest: no pages are documented."""
        now, shown = self.clock.now(), self.exports.of(project)
        shown = shown[: self.options.listed or None]
        return self._told(request, [one.to_json(now) for one in shown])

    async def get(self, request: Request, project: str, params: Params) -> Response:
        """One export."""
        export = self.exports.get(project, params["id"])
        return self._told(request, export.to_json(self.clock.now()))

    async def download(self, _request: Request, project: str, params: Params) -> Response:
        """The way to the file (seed 002)."""
        export = self.exports.get(project, params["id"])
        status = export.status(self.clock.now())
        if status == "expired":
            raise EnvelopeError(410, "EXPORT_EXPIRED", "Export download link has expired")
        if status != "completed":
            refused = self.options.not_ready
            raise EnvelopeError(refused, "EXPORT_NOT_READY", "Export is not yet completed")
        path = f"/exports/{export.project}/{export.id}.csv"
        link = self.links.sign(path, self.options.link_seconds)
        return Response(status_code=302, headers={"Location": link})

    async def delete(self, _request: Request, project: str, params: Params) -> Response:
        """Remove an export that ended, with its file."""
        export = self.exports.get(project, params["id"])
        if export.is_active(self.clock.now()):
            raise EnvelopeError(409, "EXPORT_ACTIVE", "Export is still being processed")
        self.exports.remove(export)
        self.deleted.append(export.id)
        return Response(status_code=204)

    async def file(self, request: Request, params: Params) -> Response:
        """The file behind a link."""
        self.calls["file"] += 1
        fault = self.faults.take("file")
        if refusal := answer(fault):
            raise refusal
        self.links.check(f"/exports/{params['project']}/{params['file']}", request.query_params)
        if fault == DEAD:
            raise dead_link()
        file = self._stored(params).file
        if fault == CHANGED:
            file = file._replace(etag='"another"')
        cut_after = len(file.body) // 2 if fault == CUT else None
        return file_response(request, file, {}, cut_after=cut_after)

    def _require_room(self, project: str) -> None:
        most, now = self.options.open_exports, self.clock.now()
        if most and sum(one.is_active(now) for one in self.exports.of(project)) >= most:
            raise too_many(1 if self.options.retry_after else None)

    def _stored(self, params: Params) -> Export:
        try:
            export = self.exports.get(params["project"], params["file"].removesuffix(".csv"))
        except EnvelopeError:
            raise store_error(404, "NoSuchKey", "The specified key does not exist.") from None
        if export.status(self.clock.now()) != "completed":
            raise store_error(404, "NoSuchKey", "The specified key does not exist.")
        return export

    def _call(self, operation: str, work: Work) -> Handler:
        """Count, judge and maybe spoil a call before it does its work."""

        async def handle(request: Request, params: Params) -> Response:
            self.calls[operation] += 1
            project = self._enter(request)
            request.state.fault = fault = self.faults.take(operation)
            if refusal := answer(fault):
                raise refusal
            response = await work(request, project, params)
            if fault == DROP:
                raise DropConnectionError
            return response

        return handle

    def _enter(self, request: Request) -> str:
        """The project of the request's key, its limit spent."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        known = [one.id for one in self.options.projects if one.key == key]
        if scheme.lower() != "bearer" or not known:
            raise unauthorized()
        limit = Limit("requests_per_minute", self.options.limits.requests_per_minute, 60)
        wait = self.windows.take(known[0], [limit])
        if wait is not None:
            raise too_many(math.ceil(wait) if self.options.retry_after else None)
        return known[0]

    def _told(self, request: Request, data: Any, status: int = 200) -> Response:
        meta = {"request_id": request_name(request.state.request_id)}
        return JSONResponse({"data": data, "meta": meta}, status)


async def _json(request: Request) -> Any:
    if not is_called(request, JSON):
        raise invalid("Content-Type must be application/json")
    try:
        return json.loads(await request.body())
    except ValueError:
        raise invalid("the body must be a JSON object") from None
