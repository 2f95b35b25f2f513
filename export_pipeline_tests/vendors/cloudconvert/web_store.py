"""A store on disk that signs URLs and lends credentials, with the web server that honours them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from export_pipeline.errors import AlreadyExists
from export_pipeline.storage.local import LocalStore
from export_pipeline.storage.store import Capabilities, UploadTarget, pieces
from export_pipeline_tests.servers.receiver import running

SIGNATURE = "a-signature-that-no-text-may-show"
LENT = "a-credential-that-was-lent"


class WebStore(LocalStore):
    """Signs and lends as it is told to."""

    def __init__(self, root: Path, base_url: str) -> None:
        super().__init__(root)
        self.base_url = base_url
        self.signs = True
        self.lends = False

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, signs_uploads=self.signs, signs_downloads=self.signs)

    def sign_upload(self, key: str, *, seconds: float, typed: bool = True) -> UploadTarget | None:
        target = UploadTarget("PUT", self._url(key), (("If-None-Match", "*"),))
        return target if self.signs else None

    def sign_download(self, key: str, *, seconds: float) -> str | None:
        return self._url(key) if self.signs else None

    def cloudconvert(self, key: str) -> tuple[str, Mapping[str, object]] | None:
        headers = {"Authorization": LENT}
        lent = {"url": f"{self.base_url}/{key}", "headers": headers}
        return ("export/upload", lent) if self.lends else None

    def _url(self, key: str) -> str:
        return f"{self.base_url}/{key}?signature={SIGNATURE}"


@contextmanager
def web_store(root: Path) -> Iterator[WebStore]:
    disk = LocalStore(root)

    async def answer(request: Request) -> Response:
        key = request.path_params["key"]
        is_signed = request.query_params.get("signature") == SIGNATURE
        if not is_signed and request.headers.get("authorization") != LENT:
            return Response(status_code=403)
        if request.method == "GET":
            return Response(b"".join([chunk async for chunk in disk.open(key)]))
        try:
            await disk.put(key, pieces(await request.body()))
        except AlreadyExists:
            return Response(status_code=412)
        return Response(status_code=201)

    app = Starlette(routes=[Route("/{key:path}", answer, methods=["GET", "PUT"])])
    with running(app) as url:
        yield WebStore(root, url)
