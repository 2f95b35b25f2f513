"""What a test or a demo may do to this Copyleaks; no part of the vendor's API."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.control import CommonControl
from export_pipeline.sandbox.copyleaks.app import Copyleaks
from export_pipeline.sandbox.copyleaks.options import CHOICES
from export_pipeline.sandbox.copyleaks.scans import Scan, ScanSpec
from export_pipeline.sandbox.plain import checked
from export_pipeline.sandbox.routing import Handler

COMPLETED_AT_ONCE = 16


class Control(CommonControl):
    """Handlers below `/sandbox/copyleaks`."""

    def __init__(self, copyleaks: Copyleaks) -> None:
        super().__init__(copyleaks, CHOICES, {}, lambda: stats_of(copyleaks))
        self._copyleaks = copyleaks

    def routes(self) -> dict[str, Handler]:
        """The paths of the control API."""
        return {
            **super().routes(),
            "POST /scans": self.add,
            "POST /scans/complete": self.complete,
            "DELETE /scans/{scan}": self.remove,
        }

    async def add(self, request: Request, _: dict[str, str]) -> Response:
        """Make finished scans from a list of specs; their webhooks wait for `complete`."""
        body = await request.json()
        specs = checked(lambda: [ScanSpec.from_json(item) for item in body])
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
