"""SeaweedFS: an S3 service that a Python package brings, as one process over one folder."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from export_pipeline.demo.ports import LOOPBACK, free_ports
from export_pipeline.errors import BadInput

HOW_TO_GET_IT = (
    "no SeaweedFS here: `pip install 'export-pipeline[demo-s3]'`, or put its program, weed, on PATH"
)
REGION = "us-east-1"
ENVIRONMENT: Mapping[str, str] = {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
"""One file of data where seven would be made at once."""
_ROLES = ("master", "volume", "filer", "s3")
_SOCKETS = Path("/tmp")  # noqa: S108  where weed 4.48 puts them, whatever TMPDIR says
_OPTIONS = (
    f"-ip={LOOPBACK}",
    f"-ip.bind={LOOPBACK}",
    "-filer",
    "-s3",
    "-master.telemetry=false",
    "-master.volumeSizeLimitMB=256",
    # Each bucket takes volumes of its own; left to itself it stops at some forty.
    "-volume.max=10000",
    # Alone it need not wait for others to be elected: else a restart takes 20 seconds, not 4.
    "-master.electionTimeout=200ms",
    "-master.heartbeatInterval=50ms",
    # Off: each would hold a port that is always the same.
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
)


class Identity(NamedTuple):
    """Who may use it, with an access key, and what for."""

    name: str
    key: str
    secret: str
    actions: Sequence[str] = ("Admin", "Read", "Write", "List", "Tagging")


ADMIN = Identity("admin", "AKADMIN", "secret-on-loopback")
"""Guards nothing: what reaches loopback reaches the files behind the S3 service too."""


class SeaweedFS:
    """One that is to work in a folder, in which another one may have worked before.

    It may be killed: what it has acknowledged is in its files, whereas asked to end it takes 15
    to 27 seconds (4.48).

    Args:
        program: weed.
        folder: for its data, its keys and nothing else.
        identities: who may use it.
    """

    def __init__(
        self, program: str, folder: Path, identities: Sequence[Identity] = (ADMIN,)
    ) -> None:
        ports = iter(free_ports(2 * len(_ROLES)))
        self._ports = {role: (next(ports), next(ports)) for role in _ROLES}
        self._program = program
        self._folder = folder
        self._identities = identities
        self.url = f"http://{LOOPBACK}:{self._ports['s3'][0]}"

    def command(self, *options: str) -> list[str]:
        """Make its folder ready and return program and arguments; `options` are weed's own."""
        keys, data = self._folder / "s3.json", self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        keys.write_text(json.dumps({"identities": [_as_json(one) for one in self._identities]}))
        ports = [
            f"-{role}.{name}={port}"
            for role, (http, grpc) in self._ports.items()
            for name, port in (("port", http), ("port.grpc", grpc))
        ]
        places = (f"-dir={data}", f"-s3.config={keys}")
        return [self._program, "server", *places, *_OPTIONS, *ports, *options]

    def variables(self, identity: Identity = ADMIN) -> dict[str, str]:
        """The environment variables that make it the S3 service of whoever has them."""
        return {
            "EXPORT_S3_ENDPOINT": self.url,
            "EXPORT_S3_REGION": REGION,
            "EXPORT_S3_ACCESS_KEY_ID": identity.key,
            "EXPORT_S3_SECRET_ACCESS_KEY": identity.secret,
        }

    def remove_sockets(self) -> None:
        """Remove what it leaves outside its folder when it is killed."""
        for role, (_, grpc) in self._ports.items():
            (_SOCKETS / f"seaweedfs-{role}-grpc-{grpc}.sock").unlink(missing_ok=True)


def find_weed() -> str | None:
    """The program, None where it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


def require_weed() -> str:
    """The program.

    Raises:
        BadInput: it is not installed; says how to get it.
    """
    program = find_weed()
    if program is None:
        raise BadInput(HOW_TO_GET_IT)
    return program


def _as_json(identity: Identity) -> dict[str, object]:
    key = {"accessKey": identity.key, "secretKey": identity.secret}
    return {"name": identity.name, "credentials": [key], "actions": list(identity.actions)}
