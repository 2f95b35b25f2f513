"""Bodies of calls."""

import json
from typing import Any

from starlette.requests import Request

from export_pipeline.sandbox.cloudconvert.errors import InvalidData
from export_pipeline.sandbox.media_types import JSON, is_called


async def read_json(request: Request) -> dict[str, Any]:
    """The object of a body; an empty one where there is none."""
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw) if is_called(request, JSON) else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise InvalidData({"body": ["The body must be a JSON object."]})
    return body
