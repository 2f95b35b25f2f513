"""Uploads of GCS's JSON API as the service has them and fake-gcs-server does not.

It checks no MD5, knows no condition on a resumable upload, and ends one when it is asked how far
it got (fake-gcs-server 1.54).
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

GRANULE_BYTES = 256 * 1024
"""What is kept of a part that was cut, and what all parts but the last are multiples of."""
_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-\d+|\*)/(?P<total>\d+|\*)")

Answer = tuple[int, dict[str, str], bytes]
Create = Callable[[str, dict[str, Any], str, bytes], Awaitable[Answer]]
"""Makes an object: bucket, metadata, condition, bytes."""


@dataclass
class Session:
    """One resumable upload; `answer` is there once it has ended, whichever way."""

    bucket: str
    metadata: dict[str, Any]
    condition: str
    data: bytearray = field(default_factory=bytearray)
    answer: Answer | None = None


class Sessions:
    """The resumable uploads of one server.

    Args:
        create: makes the object when an upload is whole.
    """

    ranges: list[str]
    """What was sent, or asked for, in turn: each request's Content-Range."""

    def __init__(self, create: Create) -> None:
        self.ranges = []
        self._create = create
        self._sessions: dict[str, Session] = {}

    def begin(self, bucket: str, metadata: dict[str, Any], condition: str) -> str:
        """Begin an upload, return its id."""
        session_id = secrets.token_hex(16)
        self._sessions[session_id] = Session(bucket, metadata, condition)
        return session_id

    def under_way(self, bucket: str) -> int:
        """How many have begun and not ended."""
        begun = [one for one in self._sessions.values() if one.bucket == bucket]
        return sum(one.answer is None for one in begun)

    def forget(self) -> None:
        """Every upload is gone, as after a week."""
        self._sessions.clear()

    async def take(
        self, session_id: str, verb: str, headers: Mapping[str, str], body: bytes, *, is_whole: bool
    ) -> Answer | None:
        """Answer one request; None if its sender is gone.

        Args:
            is_whole: the body came to its end.
        """
        self.ranges.append(headers.get("content-range", verb))
        session = self._sessions.get(session_id)
        if session is None:
            return refusal(404, "notFound", "No such upload.")
        if verb == "DELETE":
            session.answer = refusal(499, "cancelled", "The upload was cancelled.")
        if session.answer is not None:
            return session.answer
        return await self._continue(session, headers, body, is_whole=is_whole)

    async def _continue(
        self, session: Session, headers: Mapping[str, str], body: bytes, *, is_whole: bool
    ) -> Answer | None:
        found = _RANGE.fullmatch(headers.get("content-range", ""))
        if found is None:
            return refusal(400, "invalid", "There is no such range.")
        known = len(session.data)
        first = known if found["first"] is None else int(found["first"])
        if first > known:
            return refusal(400, "invalid", "The range is not what comes next.")
        # What is there already is ignored: a cut request may end after the next has begun.
        news = body[known - first :]
        if not is_whole:
            kept = (known + len(news)) // GRANULE_BYTES * GRANULE_BYTES
            session.data += news[: max(0, kept - known)]
            return None
        if found["total"] == "*" and len(body) % GRANULE_BYTES:
            return refusal(400, "invalid", "A part must be a multiple of 256 KiB.")
        session.data += news
        if found["total"] != str(len(session.data)):
            reached = {"range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
            return 308, {**reached, "content-length": "0"}, b""
        return await self._end(session, headers)

    async def _end(self, session: Session, headers: Mapping[str, str]) -> Answer:
        data = bytes(session.data)
        wrong = other_bytes(headers.get("x-goog-hash", "").removeprefix("md5="), data)
        session.answer = wrong or await self._create(
            session.bucket, session.metadata, session.condition, data
        )
        return session.answer


def read_related(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """Take a body of multipart/related apart: metadata and bytes."""
    boundary = b"--" + content_type.partition("boundary=")[2].strip('"').encode()
    head, _, data = body.removeprefix(boundary).partition(b"\r\n" + boundary)
    metadata = json.loads(head.partition(b"\r\n\r\n")[2])
    content = data.partition(b"\r\n\r\n")[2]
    return metadata, content[: content.rindex(b"\r\n" + boundary + b"--")]


def write_related(metadata: dict[str, Any], data: bytes) -> tuple[str, bytes]:
    """Put a body of multipart/related together: its content type, and it."""
    boundary = secrets.token_hex(16)
    kind = metadata.get("contentType", "application/octet-stream")
    head = f"--{boundary}\r\ncontent-type: application/json\r\n\r\n{json.dumps(metadata)}\r\n"
    part = f"--{boundary}\r\ncontent-type: {kind}\r\n\r\n"
    body = (head + part).encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/related; boundary={boundary}", body


def other_bytes(md5: str, data: bytes) -> Answer | None:
    """The refusal of bytes that do not have this MD5 (in base64); None if they have, or "" ."""
    found = base64.b64encode(hashlib.md5(data).digest()).decode()
    if md5 in {"", found}:
        return None
    text = f'Provided MD5 hash "{md5}" doesn\'t match calculated MD5 hash "{found}".'
    return refusal(400, "invalid", text)


def refusal(status: int, reason: str, text: str) -> Answer:
    """An error of the JSON API."""
    errors = [{"domain": "global", "reason": reason, "message": text}]
    error = {"code": status, "message": text, "errors": errors}
    return status, {"content-type": "application/json"}, json.dumps({"error": error}).encode()
