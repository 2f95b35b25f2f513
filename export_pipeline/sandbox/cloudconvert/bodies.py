"""Bodies of calls."""

import json
from typing import Any

from starlette.requests import Request

from export_pipeline.sandbox.cloudconvert.errors import InvalidData


async def read_json(request: Request) -> dict[str, Any]:
    """The object of a body; an empty one where there is none."""
    raw = await request.body()
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise InvalidData({"body": ["The body must be a JSON object."]})
    return body
