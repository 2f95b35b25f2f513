"""What a vendor does with an `UploadTarget`: by a client, or byte by byte."""

import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import httpx

from export_pipeline.receiver.addresses import STATUS_PLACEHOLDER
from export_pipeline.storage.store import UploadTarget


def send(
    http: httpx.Client, target: UploadTarget, body: bytes | Iterable[bytes], **headers: str
) -> httpx.Response:
    """Send as the target says, with further headers."""
    given = {**dict(target.headers), **{n.replace("_", "-"): v for n, v in headers.items()}}
    return http.request(target.verb, target.url, content=body, headers=given)


def with_status(target: UploadTarget, status: str) -> UploadTarget:
    """Put the status word where the vendor puts it."""
    return UploadTarget(target.verb, target.url.replace(STATUS_PLACEHOLDER, status), target.headers)


def begin(target: UploadTarget, *headers: str) -> socket.socket:
    """Open a connection and send the request's head; the caller sends the body, or does not."""
    url = urlsplit(target.url)
    assert url.hostname is not None
    connection = socket.create_connection((url.hostname, url.port or 80))
    lines = [f"{target.verb} {url.path} HTTP/1.1", f"Host: {url.netloc}", *headers]
    lines += [f"{name}: {value}" for name, value in target.headers]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return connection


def status_of(connection: socket.socket) -> int:
    """Read the answer's status from the connection."""
    with connection.makefile("rb") as answer:
        return int(answer.readline().split()[1])
