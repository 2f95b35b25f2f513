"""The host to which download links lead (FACTS 2.5)."""

from starlette.requests import Request
from starlette.responses import Response

from export_pipeline.sandbox.files import file_response
from export_pipeline.sandbox.laserfiche.contents import disposition
from export_pipeline.sandbox.laserfiche.faults import CUT, answer
from export_pipeline.sandbox.laserfiche.laserfiche import Laserfiche
from export_pipeline.sandbox.routing import Handler


class FileHost:
    """Gives files to whoever has their links."""

    def __init__(self, vendor: Laserfiche) -> None:
        self._vendor = vendor

    def routes(self) -> dict[str, Handler]:
        """Its paths, below its own base."""
        return {"GET /downloads/{number}/{name}": self.file}

    async def file(self, request: Request, params: dict[str, str]) -> Response:
        """The file behind a link."""
        vendor = self._vendor
        vendor.stats.calls["file"] += 1
        fault = vendor.faults.take("file")
        if refusal := answer(fault):
            raise refusal
        number, dead_link = params["number"], vendor.options.dead_link
        link = vendor.links.get(number, request.query_params, dead_link)
        if request.headers.get("Authorization"):
            vendor.stats.credentials_at_files += 1
        cut_after = len(link.file.body) // 2 if fault == CUT or link.cut else None
        link.cut = False
        asked = request if vendor.options.ranges else _whole(request)
        named = {"Content-Disposition": disposition(link.name)}
        return file_response(asked, link.file, named, cut_after=cut_after)


def _whole(request: Request) -> Request:
    """The request, as a host reads it that knows no ranges."""
    headers = [one for one in request.scope["headers"] if one[0] != b"range"]
    return Request({**request.scope, "headers": headers})
