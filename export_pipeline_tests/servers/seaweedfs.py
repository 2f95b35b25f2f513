"""A throw-away SeaweedFS, which judges S3 signatures, conditions and checksums as Amazon does."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from export_pipeline.demo import seaweedfs
from export_pipeline.demo.seaweedfs import ADMIN, ENVIRONMENT, REGION, Identity
from export_pipeline_tests.servers.ports import held

START_SECONDS = 60.0
READER = Identity("reader", "AKREADER", "secretreader", ("Read", "List"))
LENT = Identity("cloudconvert", "AKLENT", "secretlent", ("Write",))
_bucket_numbers = count(1)


class SeaweedFS(seaweedfs.SeaweedFS):
    """A server: the administrator's variables reach everything, the reader's only read."""

    pid = 0

    @property
    def ports(self) -> list[int]:
        """All at which it listens."""
        return [port for pair in self._ports.values() for port in pair]

    @cached_property
    def client(self) -> Any:
        """A client of botocore's, to look at the bucket without our own code."""
        return botocore.session.Session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=ADMIN.key,
            aws_secret_access_key=ADMIN.secret,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def new_bucket(self) -> str:
        """Make an empty bucket, return its name."""
        name = f"bucket-{next(_bucket_numbers)}"
        self.client.create_bucket(Bucket=name)
        return name


@contextmanager
def running_seaweedfs(program: str) -> Iterator[SeaweedFS]:
    """Start a server in a new folder on free ports, kill and delete it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="seaweedfs-"))
    server = SeaweedFS(program, folder, [ADMIN, READER, LENT])
    with held(*server.ports), (folder / "log").open("w") as log:
        process = subprocess.Popen(
            server.command("-s3.autoCreateBucket=false"),
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**os.environ, **ENVIRONMENT, "WEED_S3_SSE_KEY": "a-passphrase-of-the-tests"},
        )
        try:
            server.pid = process.pid
            _wait_for_a_put(server, process, folder / "log")
            yield server
        finally:
            process.kill()
            process.wait()
            server.remove_sockets()
            shutil.rmtree(folder)


def _wait_for_a_put(server: SeaweedFS, process: subprocess.Popen[bytes], log: Path) -> None:
    """An open port says little: it opens before the server can store."""
    end = time.monotonic() + START_SECONDS
    client = server.client
    while True:
        try:
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        else:
            return
