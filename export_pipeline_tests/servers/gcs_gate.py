"""What Google's front does before fake-gcs-server, which checks nothing.

Tokens of the JSON API, signatures of the XML API, conditions of both, and resumable uploads. Ours,
so it proves the store against Google's published rules, not against Google.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import aiohttp
from starlette.types import Receive, Scope, Send
from yarl import URL

from export_pipeline_tests.servers.gcs_signatures import judge
from export_pipeline_tests.servers.gcs_uploads import (
    Answer,
    Sessions,
    other_bytes,
    read_related,
    refusal,
    write_related,
)
from export_pipeline_tests.servers.google import Google

_UPLOAD = "/upload/storage/v1/b/"
_API = "/storage/v1/"
_META = "x-goog-meta-"
_HOP_BY_HOP = {"host", "connection", "transfer-encoding", "content-length", "authorization"}


class GcsGate:
    """An ASGI app.

    Args:
        upstream: URL of fake-gcs-server.
        google: gives the tokens and has the keys that count.
    """

    def __init__(self, upstream: str, google: Google) -> None:
        self._upstream = upstream
        self._google = google
        self.sessions = Sessions(self._create)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        body, is_whole = await _body_of(receive)
        headers = _joined(scope["headers"])
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        if "upload_id" in asked:
            answer = await self.sessions.take(
                asked["upload_id"], scope["method"], headers, body, is_whole=is_whole
            )
        elif not is_whole:
            answer = None
        elif path.startswith((_UPLOAD, _API)):
            answer = await self._json(scope["method"], path, query, asked, headers, body)
        else:
            answer = await self._xml(scope["method"], path, query, headers, body)
        if answer is not None:
            await _send(send, answer)

    async def _json(
        self,
        verb: str,
        path: str,
        query: str,
        asked: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        if not self._google.accepts(headers.get("authorization", "")):
            return refusal(401, "authError", "Invalid Credentials")
        if path.startswith(_UPLOAD):
            return await self._upload(path, query, asked, headers, body)
        if "/rewriteTo/" in path and asked.get("ifGenerationMatch") == "0":
            target = f"{_API}{path.partition('/rewriteTo/')[2]}"
            if (await self._ask("GET", target, {}))[0] == 200:
                return refusal(412, "conditionNotMet", "At least one condition did not hold.")
        return await self._ask(verb, f"{path}?{query}", headers, body)

    async def _upload(
        self,
        path: str,
        query: str,
        asked: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        if asked["uploadType"] == "multipart":
            metadata, data = read_related(headers["content-type"], body)
            wrong = other_bytes(metadata.get("md5Hash", ""), data)
            return wrong or await self._ask("POST", f"{path}?{query}", headers, body)
        bucket = path.removeprefix(_UPLOAD).removesuffix("/o")
        found, metadata = await self._ask("GET", f"{_API}b/{bucket}", {}), json.loads(body)
        if found[0] != 200:
            return found
        condition = asked.get("ifGenerationMatch", "")
        if condition == "0" and await self._exists(bucket, metadata["name"]):
            return refusal(412, "conditionNotMet", "At least one condition did not hold.")
        session = self.sessions.begin(bucket, metadata, condition)
        location = f"http://{headers['host']}{path}?uploadType=resumable&upload_id={session}"
        return 200, {"location": location, "content-length": "0"}, b""

    async def _xml(
        self, verb: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        keys, now = self._google.public_keys, datetime.now(UTC)
        refused = judge(verb, path, query, headers, now=now, keys=keys)
        if refused:
            return _xml_error(refused.status, refused.code, refused.text)
        bucket, _, name = unquote(path)[1:].partition("/")
        if verb == "PUT":
            return await self._put(bucket, name, headers, body)
        target = f"{_API}b/{bucket}/o/{quote(name, safe='')}"
        status, told, content = await self._ask(verb, f"{target}?alt=media", headers)
        return (status, told, content) if status != 404 else _xml_error(404, "NoSuchKey", name)

    async def _put(self, bucket: str, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if other_bytes(headers.get("content-md5", ""), body):
            return _xml_error(400, "BadDigest", "The Content-MD5 does not match.")
        own = {key.removeprefix(_META): text for key, text in headers.items() if _META in key}
        kind = headers.get("content-type", "application/octet-stream")
        metadata = {"name": name, "contentType": kind, "metadata": own}
        if "content-encoding" in headers:
            metadata["contentEncoding"] = headers["content-encoding"]
        condition = headers.get("x-goog-if-generation-match", "")
        status, _, content = await self._create(bucket, metadata, condition, body)
        if status == 412:
            return _xml_error(412, "PreconditionFailed", "A condition did not hold.")
        if status != 200:
            return status, {}, content
        md5 = hashlib.md5(body).digest()
        told = {"x-goog-hash": f"md5={base64.b64encode(md5).decode()}", "etag": f'"{md5.hex()}"'}
        return 200, told, b""

    async def _create(
        self, bucket: str, metadata: dict[str, Any], condition: str, data: bytes
    ) -> Answer:
        # The one way of fake-gcs-server's that holds to a condition.
        kind, body = write_related(metadata, data)
        query = f"uploadType=multipart&ifGenerationMatch={condition}"
        return await self._ask("POST", f"{_UPLOAD}{bucket}/o?{query}", {"content-type": kind}, body)

    async def _exists(self, bucket: str, name: str) -> bool:
        found = await self._ask("GET", f"{_API}b/{bucket}/o/{quote(name, safe='')}", {})
        return found[0] == 200

    async def _ask(
        self, verb: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        kept = {name: text for name, text in headers.items() if name not in _HOP_BY_HOP}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                verb,
                URL(self._upstream + target, encoded=True),
                headers=kept,
                data=BytesIO(body) if body else None,
                skip_auto_headers=("Content-Type", "Accept-Encoding"),
            ) as response,
        ):
            told = {name.lower(): text for name, text in response.headers.items()}
            told.pop("transfer-encoding", None)
            return response.status, told, await response.read()


async def _body_of(receive: Receive) -> tuple[bytes, bool]:
    """The body, and whether it came to its end before its sender was gone."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(pieces), False
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces), True


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, text in headers:
        before = joined.get(name.decode())
        joined[name.decode()] = f"{before},{text.decode()}" if before else text.decode()
    return joined


def _xml_error(status: int, code: str, text: str) -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{text}</Message></Error>"
    return status, {"content-type": "application/xml"}, body.encode()


async def _send(send: Send, answer: Answer) -> None:
    status, headers, content = answer
    raw = [(name.encode(), text.encode()) for name, text in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})
