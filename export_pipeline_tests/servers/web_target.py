"""A web server that takes PUT and heeds `If-None-Match: *`, which nginx does not."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from export_pipeline_tests.servers.receiver import running

TOKEN = "token-of-the-web-server"
_folder_numbers = count(1)


@dataclass(frozen=True)
class WebTarget:
    """A running server: everything below `url` may be written with the token."""

    url: str
    files: Path

    def variables(self, token: str = TOKEN) -> dict[str, str]:
        """The environment variables that make it the store."""
        return {"EXPORT_HTTP_BEARER_TOKEN": token, "EXPORT_HTTP_CREATE_ONLY": "true"}

    def new_folder(self) -> str:
        """Return the URL of an empty folder, which the server makes at the first PUT."""
        return f"{self.url}/folder-{next(_folder_numbers)}"


class _Files:
    """The server's app: a folder of whole files."""

    def __init__(self, folder: Path, *, gives_ranges: bool) -> None:
        self.files = folder / "files"
        self._incoming = folder / "incoming"
        self._gives_ranges = gives_ranges
        self._types: dict[Path, str | None] = {}
        for made in (self.files, self._incoming):
            made.mkdir(parents=True)

    async def answer(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Response(status_code=401)
        path = self.files / request.path_params["path"]
        if request.method == "PUT":
            return await self._take(request, path)
        if not path.is_file():
            return Response(status_code=404)
        if request.method == "DELETE":
            path.unlink()
            return Response(status_code=204)
        if not self._gives_ranges:
            return Response(path.read_bytes())
        return FileResponse(path, media_type=self._types.get(path))

    async def _take(self, request: Request, path: Path) -> Response:
        arrived = self._incoming / secrets.token_hex(8)
        with arrived.open("wb") as file:
            async for chunk in request.stream():
                file.write(chunk)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._types[path] = request.headers.get("content-type")
        if request.headers.get("if-none-match") != "*":
            arrived.replace(path)
            return Response(status_code=204)
        try:
            os.link(arrived, path)
        except FileExistsError:
            return Response(status_code=412)
        return Response(status_code=201)


@contextmanager
def running_web_target(folder: Path, *, gives_ranges: bool = True) -> Iterator[WebTarget]:
    """Serve a folder from a thread; without ranges every GET is answered with the whole object."""
    app = _Files(folder, gives_ranges=gives_ranges)
    route = Route("/{path:path}", app.answer, methods=["PUT", "GET", "DELETE"])
    with running(Starlette(routes=[route])) as url:
        yield WebTarget(url, app.files)
