"""The host of the files: downloads by link, uploads by form, and no other credential."""

import hashlib
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from export_pipeline.sandbox.cloudconvert.calling import media_type
from export_pipeline.sandbox.cloudconvert.cloudconvert import CloudConvert
from export_pipeline.sandbox.cloudconvert.errors import not_found
from export_pipeline.sandbox.cloudconvert.faults import (
    CHANGED,
    CUT,
    DEAD,
    SLOW,
    SLOW_SECONDS,
    answer,
)
from export_pipeline.sandbox.cloudconvert.links import dead_link
from export_pipeline.sandbox.cloudconvert.multipart import read_form
from export_pipeline.sandbox.cloudconvert.tasks import MadeFile, Task
from export_pipeline.sandbox.cloudconvert.uploading import read_upload
from export_pipeline.sandbox.files import File, file_response, two_credentials
from export_pipeline.sandbox.plain import checked
from export_pipeline.sandbox.routing import Handler


class FileHost:
    """Handlers of the host."""

    def __init__(self, vendor: CloudConvert) -> None:
        self._vendor = vendor

    def routes(self) -> dict[str, Handler]:
        """Its paths."""
        return {
            "POST /upload/{task}": self.upload,
            "GET /{task}/{name}": self.download,
            "GET /{task}/{dir}/{name}": self.download,
        }

    async def upload(self, request: Request, params: dict[str, str]) -> Response:
        """Take the file of an import/upload; anyone may send it who has the form."""
        vendor = self._vendor
        vendor.stats.calls["upload"] += 1
        if self._has_credential(request):
            return two_credentials()
        task = vendor.shelf.any_task(params["task"])
        if task is None or task.form is None or task.uploaded.is_set() or task.over.is_set():
            raise not_found()
        form, body = request.headers.get("Content-Type", ""), await request.body()
        parts = checked(lambda: read_form(form, body))
        task.files = [read_upload(task.form, parts, vendor.clock.now())]
        task.uploaded.set()
        redirect = task.form["parameters"].get("redirect")
        if redirect:
            return Response(status_code=303, headers={"Location": redirect})
        return Response(status_code=201)

    async def download(self, request: Request, params: dict[str, str]) -> Response:
        """Give the file of a link."""
        vendor = self._vendor
        vendor.stats.calls["file"] += 1
        if self._has_credential(request):
            return two_credentials()
        fault = vendor.faults.take("file")
        if refusal := answer(fault):
            raise refusal
        if fault == SLOW:
            await vendor.clock.sleep(SLOW_SECONDS)
        parts = tuple(params[part] for part in ("dir", "name") if part in params)
        dead_status = vendor.options.dead_link
        vendor.links.check(params["task"], parts, request.query_params, dead_status)
        if fault == DEAD:
            raise dead_link(dead_status)
        task, file = self._found(params["task"], parts)
        headers = {"Content-Disposition": _disposition(task, file)}
        whole = _file(file, is_changed=fault == CHANGED)
        if not vendor.options.ranges:
            kept = [one for one in request.scope["headers"] if one[0] != b"range"]
            request = Request({**request.scope, "headers": kept})
        cut_after = len(whole.body) // 2 if fault == CUT else None
        return file_response(request, whole, headers, cut_after=cut_after)

    def _has_credential(self, request: Request) -> bool:
        has_one = "Authorization" in request.headers
        self._vendor.stats.credentials_at_files += has_one
        return has_one

    def _found(self, task_id: str, parts: tuple[str, ...]) -> tuple[Task, MadeFile]:
        task = self._vendor.shelf.any_task(task_id)
        for file in () if task is None else task.files:
            if task is not None and file.parts == parts:
                return task, file
        raise not_found()


def _file(file: MadeFile, *, is_changed: bool) -> File:
    tag = hashlib.md5(file.body, usedforsecurity=False).hexdigest()
    return File(file.body, media_type(file.filename), '"another"' if is_changed else f'"{tag}"')


def _disposition(task: Task, file: MadeFile) -> str:
    kind = "inline" if task.payload.get("inline") else "attachment"
    return f"{kind}; filename*=UTF-8''{quote(file.filename, safe='')}"
