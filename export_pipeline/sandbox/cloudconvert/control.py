"""What a test or a demo may do to this CloudConvert; no part of the vendor's API."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.cloudconvert.app import App
from export_pipeline.sandbox.cloudconvert.cloudconvert import CloudConvert
from export_pipeline.sandbox.cloudconvert.making import JobSpec, make
from export_pipeline.sandbox.cloudconvert.options import CHOICES, FREE
from export_pipeline.sandbox.control import CommonControl
from export_pipeline.sandbox.plain import BareError, checked
from export_pipeline.sandbox.routing import Handler


class Control(CommonControl):
    """Handlers below `/sandbox/cloudconvert`."""

    def __init__(self, vendor: CloudConvert, app: App) -> None:
        super().__init__(vendor, CHOICES, FREE, lambda: stats_of(vendor, app))
        self._vendor = vendor

    def routes(self) -> dict[str, Handler]:
        """The paths of the control API."""
        return {
            **super().routes(),
            "POST /jobs": self.add,
            "POST /tasks/{id}/expire": self.expire,
        }

    async def add(self, request: Request, _: dict[str, str]) -> Response:
        """Make finished jobs from a list of specs; the answer is each one's id and its tasks'."""
        body = await request.json()
        specs = checked(lambda: [JobSpec.from_json(item) for item in body])
        made = [make(self._vendor, spec) for spec in specs]
        told = [{"id": job.id, "tasks": [task.id for task in job.tasks]} for job in made]
        return JSONResponse({"jobs": told}, 201)

    async def expire(self, _: Request, params: dict[str, str]) -> Response:
        """End a task's time now, as if 24 hours had passed."""
        task = self._vendor.shelf.any_task(params["id"])
        if task is None:
            raise BareError(404, "there is no such task")
        self._vendor.shelf.remove_task(task)
        return Response(status_code=204)


def stats_of(vendor: CloudConvert, app: App) -> dict[str, Any]:
    """Its counters, 429s given by limit, and how much work goes on in the background."""
    return {
        **vendor.stats.as_json(),
        **app.entrance.windows.as_json(),
        "working": len(vendor.background),
    }
