"""What a test or a demo may do to this Laserfiche; no part of the vendor's API."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.control import CommonControl
from export_pipeline.sandbox.laserfiche.entries import EntrySpec
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.laserfiche.options import CHOICES, FREE
from export_pipeline.sandbox.plain import checked
from export_pipeline.sandbox.routing import Handler


class Control(CommonControl):
    """Handlers below `/sandbox/laserfiche`."""

    def __init__(self, laserfiche: Laserfiche) -> None:
        super().__init__(laserfiche, CHOICES, FREE, lambda: stats_of(laserfiche))
        self._laserfiche = laserfiche

    def routes(self) -> dict[str, Handler]:
        """The paths of the control API."""
        return {
            **super().routes(),
            "POST /entries": self.add,
            "PATCH /entries/{entry}": self.move,
            "DELETE /entries/{entry}": self.remove,
            "POST /expire": self.expire,
        }

    async def add(self, request: Request, _: dict[str, str]) -> Response:
        """Put entries into the repository from a list of specs; the answer is their ids."""
        body = await request.json()
        specs = checked(lambda: [EntrySpec.from_json(item) for item in body])
        now = self._laserfiche.clock.now()
        made = [self._laserfiche.entries.add(spec, now) for spec in specs]
        return JSONResponse({"ids": [entry.id for entry in made]}, 201)

    async def move(self, request: Request, params: dict[str, str]) -> Response:
        """Move an entry to another `parent`, which leaves its times, or set when `modified`."""
        body = await request.json()
        entry = self._laserfiche.entries.get(params["entry"])
        entry.parent = body.get("parent", entry.parent)
        entry.modified = body.get("modified", entry.modified)
        return Response(status_code=204)

    async def remove(self, _request: Request, params: dict[str, str]) -> Response:
        """Delete an entry."""
        self._laserfiche.entries.remove(int(params["entry"]))
        return Response(status_code=204)

    async def expire(self, request: Request, _: dict[str, str]) -> Response:
        """End all `links`, forget all `tasks` that are over, end all `tokens`: those listed."""
        vendor = self._laserfiche
        expiries = {
            "links": vendor.links.end_all,
            "tasks": vendor.tasks.forget_ended,
            "tokens": vendor.accounts.revoke,
        }
        body = await request.json()
        for expire in checked(lambda: [expiries[what] for what in body]):
            expire()
        return Response(status_code=204)


def stats_of(laserfiche: Laserfiche) -> dict[str, Any]:
    """Its counters, and 429s given by limit."""
    return {**laserfiche.stats.as_json(), **laserfiche.windows.as_json()}
