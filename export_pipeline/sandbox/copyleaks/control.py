"""What a test or a demo may do to this Copyleaks; no part of the vendor's API."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.copyleaks.app import FAULTS, Copyleaks
from export_pipeline.sandbox.copyleaks.errors import PlainError
from export_pipeline.sandbox.copyleaks.options import changed
from export_pipeline.sandbox.copyleaks.scans import Scan, ScanSpec
from export_pipeline.sandbox.routing import Handler

COMPLETED_AT_ONCE = 16

T = TypeVar("T")


class Control:
    """Handlers below `/sandbox/copyleaks`; a wrong body is a 400 with the reason as text."""

    def __init__(self, copyleaks: Copyleaks) -> None:
        self._copyleaks = copyleaks

    def routes(self) -> dict[str, Handler]:
        """The paths of the control API."""
        return {
            "POST /scans": self.add,
            "POST /scans/complete": self.complete,
            "DELETE /scans/{scan}": self.remove,
            "GET /stats": self.stats,
            "POST /options": self.change,
            "POST /faults": self.plan_faults,
        }

    async def add(self, request: Request, _: dict[str, str]) -> Response:
        """Make finished scans from a list of specs; their webhooks wait for `complete`."""
        body = await request.json()
        specs = _checked(lambda: [ScanSpec.from_json(item) for item in body])
        for spec in specs:
            self._copyleaks.scans.add(Scan(spec, self._copyleaks.clock.now()))
        return JSONResponse({"added": len(specs)}, 201)

    async def complete(self, request: Request, _: dict[str, str]) -> Response:
        """Fire the `completed` webhooks of `ids` (of `account` if given) in the background."""
        body = await request.json()
        now = self._copyleaks.clock.now()
        scans = [
            self._copyleaks.scans.get(body.get("account"), scan_id, now) for scan_id in body["ids"]
        ]
        self._copyleaks.background.start(self._complete_all(scans))
        return JSONResponse({"completing": len(scans)}, 202)

    async def remove(self, request: Request, params: dict[str, str]) -> Response:
        """Delete a scan at the vendor."""
        self._copyleaks.scans.remove(request.query_params.get("account"), params["scan"])
        return Response(status_code=204)

    async def stats(self, _request: Request, _: dict[str, str]) -> Response:
        """All counters."""
        return JSONResponse(stats_of(self._copyleaks))

    async def change(self, request: Request, _: dict[str, str]) -> Response:
        """Change options from now on."""
        body = await request.json()
        self._copyleaks.options = _checked(lambda: changed(self._copyleaks.options, body))
        return Response(status_code=204)

    async def plan_faults(self, request: Request, _: dict[str, str]) -> Response:
        """Let the next export calls answer with the faults of `exports`, one each."""
        faults = (await request.json())["exports"]
        if not set(faults) <= set(FAULTS):
            raise PlainError(400, f"faults are {', '.join(FAULTS)}")
        self._copyleaks.export_faults.extend(faults)
        return Response(status_code=204)

    async def _complete_all(self, scans: Sequence[Scan]) -> None:
        waiting = iter(scans)

        async def sender() -> None:
            for scan in waiting:
                await self._copyleaks.delivery.completed(scan)

        await asyncio.gather(*(sender() for _ in range(COMPLETED_AT_ONCE)))


def stats_of(copyleaks: Copyleaks) -> dict[str, Any]:
    """Its counters, 429s given by limit, and how much work goes on in the background."""
    return {
        **copyleaks.stats.as_json(),
        **copyleaks.windows.as_json(),
        "working": len(copyleaks.background),
    }


def _checked(read: Callable[[], T]) -> T:
    try:
        return read()
    except (ValueError, TypeError) as error:
        raise PlainError(400, str(error)) from None
