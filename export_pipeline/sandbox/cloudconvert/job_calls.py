"""Calls about jobs (FACTS 4.2)."""

from itertools import chain

from starlette.responses import JSONResponse, Response

from export_pipeline.sandbox.cloudconvert.bodies import read_json
from export_pipeline.sandbox.cloudconvert.cloudconvert import CloudConvert
from export_pipeline.sandbox.cloudconvert.entrance import Asked
from export_pipeline.sandbox.cloudconvert.jobs import Job
from export_pipeline.sandbox.cloudconvert.listing import page_of
from export_pipeline.sandbox.cloudconvert.tasks import FINISHED
from export_pipeline.sandbox.cloudconvert.telling import included


class JobCalls:
    """Handlers of one host; with `waits` they answer when the job is over."""

    def __init__(self, vendor: CloudConvert, *, waits: bool) -> None:
        self._vendor = vendor
        self._waits = waits

    async def create(self, asked: Asked) -> Response:
        """Begin a job; the host that waits can lead straight to its file."""
        body = await read_json(asked.request)
        redirects = self._waits and body.get("redirect") is True
        job = self._vendor.create_job(asked.account, body, redirects=redirects)
        if self._waits:
            await job.over.wait()
        link = _link(job) if redirects else None
        if link is not None:
            return Response(status_code=302, headers={"Location": link})
        return JSONResponse({"data": self._vendor.telling.job(job)}, 201)

    async def list_all(self, asked: Asked) -> Response:
        """Jobs by status and tag, the newest first."""
        query, vendor = asked.request.query_params, self._vendor
        found = (
            job
            for job in vendor.shelf.jobs(asked.account)
            if query.get("filter[status]") in (None, job.shown_status(vendor.options.new_job))
            and query.get("filter[tag]") in (None, job.tag)
        )
        rows, told = page_of(found, query, f"{vendor.base}/v2/jobs")
        include = included(query)
        has_tasks = vendor.options.listed_tasks or "tasks" in include
        shown = [vendor.telling.job(job, include, tasks=has_tasks) for job in rows]
        return JSONResponse({"data": shown, **told})

    async def get(self, asked: Asked) -> Response:
        """One job with its tasks."""
        job = self._vendor.shelf.job(asked.account, asked.params["id"])
        if self._waits:
            await job.over.wait()
        include = included(asked.request.query_params)
        return JSONResponse({"data": self._vendor.telling.job(job, include)})

    async def delete(self, asked: Asked) -> Response:
        """Delete a job with all its tasks and files."""
        job = self._vendor.shelf.job(asked.account, asked.params["id"])
        self._vendor.delete_job(job)
        return Response(status_code=204)


def _link(job: Job) -> str | None:
    """Where the only file of the job is to be had."""
    exports = [one for one in job.tasks if one.operation == "export/url"]
    told = [one.told or () for one in exports if one.status == FINISHED]
    urls = [file["url"] for file in chain.from_iterable(told)]
    return str(urls[0]) if len(urls) == 1 else None
