"""What a test or a demo may do to any vendor of the sandbox; no part of the vendors' APIs."""

from collections.abc import Callable
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.changing import Choices, Free, changed
from export_pipeline.sandbox.faults import Faults
from export_pipeline.sandbox.plain import checked
from export_pipeline.sandbox.routing import Handler


class Controlled(Protocol):
    """The vendor's state, as far as every control API changes it."""

    options: Any
    faults: Faults


class CommonControl:
    """The handlers that each vendor has; a wrong body is a 400 with the reason as text.

    Args:
        vendor: whose options and faults they change.
        choices: what options can be.
        free: options that can be anything of a kind.
        stats: all its counters.
    """

    def __init__(
        self, vendor: Controlled, choices: Choices, free: Free, stats: Callable[[], dict[str, Any]]
    ) -> None:
        self._controlled = vendor
        self._choices = choices
        self._free = free
        self._stats = stats

    def routes(self) -> dict[str, Handler]:
        """The paths below `/sandbox/<vendor>`."""
        return {
            "GET /stats": self.stats,
            "POST /options": self.change,
            "POST /faults": self.plan_faults,
        }

    async def stats(self, _request: Request, _: dict[str, str]) -> Response:
        """All counters."""
        return JSONResponse(self._stats())

    async def change(self, request: Request, _: dict[str, str]) -> Response:
        """Change options from now on."""
        body, options = await request.json(), self._controlled.options
        found = checked(lambda: changed(options, body, self._choices, self._free))
        self._controlled.options = found
        return Response(status_code=204)

    async def plan_faults(self, request: Request, _: dict[str, str]) -> Response:
        """Let the next calls of each operation named meet its faults, one each."""
        body = await request.json()
        checked(lambda: self._controlled.faults.plan(body))
        return Response(status_code=204)
