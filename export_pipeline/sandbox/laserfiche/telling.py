"""What several calls read and answer alike."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.laserfiche.entrance import Asked
from export_pipeline.sandbox.laserfiche.errors import ProblemError, invalid
from export_pipeline.sandbox.laserfiche.faults import FOREIGN
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.laserfiche.odata import Row, listing
from export_pipeline.sandbox.laserfiche.tasks import Task
from export_pipeline.sandbox.media_types import JSON, is_called

FOREIGN_ORIGIN = "http://elsewhere.invalid"


def listed(vendor: Laserfiche, asked: Asked, rows: Sequence[Row], path: str) -> Response:
    """One page of `rows`, which lie at `path` of the repository."""
    url = f"{vendor.base}/v2/Repositories/{quote(vendor.options.repository, safe='')}/{path}"
    told = listing(asked.request, rows, url, f"{asked.context}/{path}")
    link = told.get("@odata.nextLink")
    if link and asked.fault == FOREIGN:
        told["@odata.nextLink"] = FOREIGN_ORIGIN + link.removeprefix(vendor.base)
    return JSONResponse(told)


def started(asked: Asked, task: Task, path: str) -> Response:
    """A long operation that began (seed 001)."""
    told = {"@odata.type": "#Laserfiche.Repository.StartTaskResponse", "taskId": task.id}
    return JSONResponse({"@odata.context": f"{asked.context}/{path}", **told}, 202)


async def json_of(request: Request) -> Any:
    """The body of a call, or the refusal of one that is no JSON."""
    require_type(request, JSON)
    try:
        return json.loads(await request.body())
    except ValueError:
        raise invalid("The body is no JSON.") from None


def require_type(request: Request, media_type: str) -> None:
    """Refuse a body of another type."""
    if not is_called(request, media_type):
        raise ProblemError(415, "Unsupported Media Type")
