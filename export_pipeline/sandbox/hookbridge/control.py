"""What a test or a demo may do to this HookBridge; no part of the vendor's API."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.control import CommonControl
from export_pipeline.sandbox.hookbridge.app import HookBridge
from export_pipeline.sandbox.hookbridge.exports import Export, ExportSpec
from export_pipeline.sandbox.hookbridge.options import CHOICES, FREE
from export_pipeline.sandbox.plain import checked
from export_pipeline.sandbox.routing import Handler


class Control(CommonControl):
    """Handlers below `/sandbox/hookbridge`.

    An export of another than the first project is named with `?project=`.
    """

    def __init__(self, hookbridge: HookBridge) -> None:
        super().__init__(hookbridge, CHOICES, FREE, lambda: stats_of(hookbridge))
        self._hookbridge = hookbridge

    def routes(self) -> dict[str, Handler]:
        """The paths of the control API."""
        return {
            **super().routes(),
            "POST /exports": self.add,
            "POST /exports/{id}/expire": self.expire,
            "DELETE /exports/{id}": self.remove,
        }

    async def add(self, request: Request, _: dict[str, str]) -> Response:
        """Make exports from a list of specs; the answer is their ids."""
        body = await request.json()
        specs = checked(lambda: [ExportSpec.from_json(item) for item in body])
        vendor = self._hookbridge
        made = [vendor.exports.create(spec, vendor.options, vendor.clock.now()) for spec in specs]
        return JSONResponse({"ids": [export.id for export in made]}, 201)

    async def expire(self, request: Request, params: dict[str, str]) -> Response:
        """End an export's time now."""
        self._named(request, params).expired = self._hookbridge.clock.now()
        return Response(status_code=204)

    async def remove(self, request: Request, params: dict[str, str]) -> Response:
        """Delete an export, whatever its state, as somebody else would."""
        self._hookbridge.exports.remove(self._named(request, params))
        return Response(status_code=204)

    def _named(self, request: Request, params: dict[str, str]) -> Export:
        default = self._hookbridge.options.projects[0].id
        project = request.query_params.get("project", default)
        return self._hookbridge.exports.get(project, params["id"])


def stats_of(hookbridge: HookBridge) -> dict[str, Any]:
    """Calls by operation, 429s given by limit, and the exports created and deleted by calls."""
    return {
        "calls": dict(hookbridge.calls),
        **hookbridge.windows.as_json(),
        "created": [{"id": one.id, **one.filters.to_json()} for one in hookbridge.created],
        "deleted": hookbridge.deleted,
    }
