"""A throw-away Azurite, which judges keys, tokens, SAS, conditions and MD5s as Azure does."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from azure.storage.blob import BlobServiceClient, generate_container_sas

from export_pipeline_tests.servers.certificate import Certificate

PROGRAM_VARIABLE = "AZURITE_BLOB"
HOW_TO_GET_IT = (
    f"no Azurite here: `npm install azurite@3.35.0`, and put node_modules/.bin on PATH or the path"
    f" of azurite-blob into {PROGRAM_VARIABLE}"
)
START_SECONDS = 60.0
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Of every Azurite (its README)."""
NEEDED = "rcwdl"
"""What a SAS token must allow to keep an archive with it."""
_LISTENS = re.compile(r"successfully listens on (\S+)")
_container_numbers = count(1)


@dataclass(frozen=True)
class Azurite:
    """A running server; the account's own address ends in the account's name.

    Args:
        url: of the server.
        certificate: a file with that which it shows, where it speaks TLS.
    """

    url: str
    certificate: str | None = None

    @property
    def service(self) -> str:
        """The address of the account's blob service."""
        return f"{self.url}/{ACCOUNT}"

    def variables(self) -> dict[str, str]:
        """The environment variables that make it the store."""
        return {"EXPORT_AZURE_ENDPOINT": self.service, "EXPORT_AZURE_ACCESS_KEY": KEY}

    def token_variables(
        self, container: str, permission: str = NEEDED, seconds: float = 3_600
    ) -> dict[str, str]:
        """Those with a SAS token of the container instead of the key."""
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        token = generate_container_sas(
            ACCOUNT, container, account_key=KEY, permission=permission, expiry=ends
        )
        return {"EXPORT_AZURE_ENDPOINT": self.service, "EXPORT_AZURE_SAS_TOKEN": token}

    @cached_property
    def client(self) -> BlobServiceClient:
        """Azure's own client, to look at blobs without our own code."""
        trusted: Mapping[str, str] = (
            {"connection_verify": self.certificate} if self.certificate else {}
        )
        return BlobServiceClient(self.service, credential=KEY, retry_total=0, **trusted)

    def new_container(self) -> str:
        """Make an empty container, return its name."""
        name = f"container-{next(_container_numbers)}"
        self.client.create_container(name)
        return name


def find_azurite() -> str | None:
    """The server's program, None where it is not installed."""
    return os.environ.get(PROGRAM_VARIABLE) or shutil.which("azurite-blob")


@contextmanager
def running_azurite(program: str, certificate: Certificate | None = None) -> Iterator[Azurite]:
    """Start a server that keeps all in memory, on a free port; kill it afterwards.

    Args:
        certificate: with it the server speaks TLS, and takes tokens too.
    """
    tls = (
        ["--oauth", "basic", "--cert", certificate.file, "--key", certificate.key_file]
        if certificate
        else []
    )
    with tempfile.TemporaryDirectory(prefix="azurite-") as folder:
        log = Path(folder) / "log"
        with log.open("w") as written:
            server = subprocess.Popen(
                [
                    program,
                    "--blobHost=127.0.0.1",
                    "--blobPort=0",
                    "--inMemoryPersistence",
                    "--silent",
                    "--disableTelemetry",
                    *tls,
                ],
                cwd=folder,
                stdout=written,
                stderr=written,
            )
        try:
            url = _address(server, log)
            yield Azurite(url, certificate.file if certificate else None)
        finally:
            server.kill()
            server.wait()


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while not (found := _LISTENS.search(log.read_text())):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    return found[1]
