"""What every host of files does alike: one credential a request, and parts of a file by range."""

import re
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from export_pipeline.sandbox.routing import transport

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
TWO_CREDENTIALS = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InvalidArgument</Code><Message>Only one'
    " auth mechanism allowed; only the signature in the query string or the Authorization header"
    " should be specified</Message></Error>"
)


class File(NamedTuple):
    """A file as a link leads to it; `etag` is its strong entity tag, quotes included."""

    body: bytes
    media_type: str
    etag: str


def has_two_credentials(scope: Scope) -> bool:
    """Whether a request carries Authorization beside a signed query."""
    return bool(scope["query_string"]) and any(
        name == b"authorization" for name, _ in scope["headers"]
    )


def two_credentials() -> Response:
    """S3's refusal of such a request (FACTS 3.4)."""
    return Response(TWO_CREDENTIALS, 400, media_type="application/xml")


def file_response(
    request: Request, file: File, headers: dict[str, str], *, cut_after: int | None = None
) -> Response:
    """The file, or the part of it that the Range header names (RFC 9110, 14 and 13.1.5).

    With `cut_after` the connection breaks after that many bytes of what was promised.
    """
    size = len(file.body)
    told = {"Accept-Ranges": "bytes", "ETag": file.etag, "Content-Type": file.media_type} | headers
    answer = Response if cut_after is None else _cutting(cut_after)
    wanted = _RANGE.fullmatch(request.headers.get("Range", ""))
    is_same = request.headers.get("If-Range", file.etag) == file.etag
    if wanted is None or not any(wanted.groups()) or not is_same:
        return answer(file.body, headers=told)
    start, end = _bounds(wanted, size)
    if start >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    told["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return answer(file.body[start:end], 206, headers=told)


def _bounds(wanted: re.Match[str], size: int) -> tuple[int, int]:
    first, last = wanted.groups()
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


def _cutting(cut_after: int) -> type[Response]:
    class CutResponse(Response):
        """Promises its whole body and sends the beginning."""

        async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
            start = {"type": "http.response.start", "status": self.status_code}
            await send({**start, "headers": self.raw_headers})
            body = bytes(self.body)[:cut_after]
            await send({"type": "http.response.body", "body": body, "more_body": True})
            transport(receive).close()
            # uvicorn must see the connection gone, else it complains of the missing bytes.
            await receive()

    return CutResponse
